"""What docs/operations/ holds is well formed, and names figures and fields that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mem9_async.models.status_snapshot import Disk
from mem9_async.runtime.status.metrics import render
from mem9_async.settings import Settings
from tests.docs.events import ROOT, events
from tests.runtime.status.test_metrics import FULL

HERE = ROOT / "docs/operations"
PAGE = (ROOT / "docs/operations.md").read_text()
_TEXT = render(replace(FULL, disk=Disk(free_bytes=1))).decode()
FAMILIES = list(text_string_to_metric_families(_TEXT))
SAMPLES = {sample.name for family in FAMILIES for sample in family.samples}
LABELS = {label for family in FAMILIES for sample in family.samples for label in sample.labels}
NAMES = {re.sub(r"_(bucket|sum|count)$", "", name) for name in SAMPLES}
_METRIC = re.compile(r"\bmem9_async_[a-z0-9_]+")

DASHBOARD: dict[str, Any] = json.loads((HERE / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
ALERTS: dict[str, Any] = yaml.safe_load((HERE / "prometheus-alerts.yaml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]


def _queries() -> Iterator[str]:
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in RULES)


def _is_balanced(text: str) -> bool:
    expected = []
    for sign in re.sub(r'"(\\.|[^"\\])*"|`[^`]*`', "", text):
        if sign in "([{":
            expected.append({"(": ")", "[": "]", "{": "}"}[sign])
        elif sign in ")]}" and (not expected or expected.pop() != sign):
            return False
    return not expected


def test_the_page_names_every_metric_and_no_other() -> None:
    """With the labels that it has."""
    section = PAGE.partition("### Metrics\n")[2].partition("\n### ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `mem9")]
    told = {
        name: set(re.findall(r"`(\w+)`", row[1]))
        for row in rows
        for name in _METRIC.findall(row[0])
    }
    labels = {
        name: {
            label
            for family in FAMILIES
            for sample in family.samples
            if re.sub(r"_(bucket|sum|count)$", "", sample.name) == name
            for label in sample.labels
        }
        for name in NAMES
    }

    assert told == labels


@pytest.mark.parametrize("query", list(_queries()))
def test_a_query_asks_for_what_there_is(query: str) -> None:
    """Metrics, and labels to choose and to group by."""
    bare = query.replace("$__rate_interval", "5m")
    labels = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', bare))
    for grouped in re.findall(r"\b(?:by|without) \(([^)]*)\)", bare):
        labels |= set(re.findall(r"\w+", grouped))

    assert _is_balanced(bare)
    assert _METRIC.findall(bare)
    assert set(_METRIC.findall(bare)) <= SAMPLES
    assert labels <= LABELS | {"instance"}


def test_counters_are_asked_for_their_rate_and_gauges_for_their_value() -> None:
    """A counter's own value says when the process began, and nothing else."""
    counters = {name for name in SAMPLES if name.endswith("_total")}
    once = {"mem9_async_journal_rows_lost_total"}  # above 0 at all is what matters
    for query in _queries():
        for name in counters.intersection(_METRIC.findall(query)) - once:
            assert re.search(rf"\b(?:rate|increase)\({name}\b", query), query
        for name in set(_METRIC.findall(query)) - counters:
            assert name.endswith(("_bucket", "_sum", "_count")) or f"rate({name}" not in query


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Panels have a place of their own, a source that the importer chooses, and a legend."""
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]

    assert variables == {"datasource", "instance"}
    assert len(set(ids)) == len(ids)
    assert {panel["type"] for panel in PANELS} <= {"stat", "timeseries", "table"}
    for panel in PANELS:
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [target["refId"] for target in panel["targets"]] == sorted(
            {target["refId"] for target in panel["targets"]}
        )
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables | {"__rate_interval"}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= LABELS | {"instance"}
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert one["x"] + one["w"] <= 24


def test_each_alert_says_what_it_is_and_the_page_what_to_do() -> None:
    """Under its name; and no page without its alert."""
    section = PAGE.partition("## What to do\n")[2]

    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == sorted(
        re.findall(r"^### (\w+)$", section, re.MULTILINE),
        key=[rule["alert"] for rule in RULES].index,
    )
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == {
        rule["alert"] for rule in RULES
    }
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]


def test_the_alerts_own_tests_try_alerts_that_there_are() -> None:
    """On series that there are."""
    tried = yaml.safe_load((HERE / "prometheus-alerts.test.yaml").read_text())
    names = {rule["alert"] for rule in RULES}

    assert tried["rule_files"] == ["prometheus-alerts.yaml"]
    for test in tried["tests"]:
        assert {each["alertname"] for each in test["alert_rule_test"]} <= names
        assert {_METRIC.match(each["series"])[0] for each in test["input_series"]} <= SAMPLES  # type: ignore[index]


def test_prometheus_own_tool_finds_nothing_where_it_is_installed(tmp_path: Path) -> None:
    """The rules, their tests, and the dashboard's queries as rules; else YAML is all we can say."""
    queries = [
        {"record": f"dashboard:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(_queries())
    ]
    asked = tmp_path / "dashboard.yaml"
    asked.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": queries}]}))
    assert len(yaml.safe_load(asked.read_text())["groups"][0]["rules"]) > 50
    promtool = shutil.which("promtool")
    for command in (
        ["check", "rules", str(asked), str(HERE / "prometheus-alerts.yaml")],
        ["test", "rules", str(HERE / "prometheus-alerts.test.yaml")],
    ):
        if promtool is not None:
            done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_vectors_parts_are_connected_and_read_what_we_write() -> None:
    """Each input is there, each part is used, and every field is one of our events'."""
    vector: dict[str, Any] = yaml.safe_load((HERE / "vector.yaml").read_text())
    parts = {**vector["sources"], **vector["transforms"], **vector["sinks"]}
    inputs = {name for part in parts.values() for name in part.get("inputs", [])}

    assert inputs == {*vector["sources"], *vector["transforms"]}
    for transform in vector["transforms"].values():
        assert _is_balanced(transform["source"])
        assert "parse_json!" in transform["source"]
        assert transform["drop_on_error"]
    assert {*vector["sinks"]["loki"]["labels"]} == {"app", "level", "event"}


def test_alloys_parts_are_connected() -> None:
    """Every component that something is forwarded to is there."""
    text = (HERE / "loki.alloy").read_text()
    code = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    components = set(re.findall(r'^([a-z.]+) "(\w+)" \{', code, re.MULTILINE))
    named = set(re.findall(r"\b((?:loki|discovery)\.[a-z]+)\.(\w+)\.(?:receiver|targets)", code))

    assert _is_balanced(code)
    assert named < components
    assert {"timestamp", "level", "event"} <= set(re.findall(r'= "(\w+)"', code))


def test_events_that_the_page_names_are_there() -> None:
    """Else whoever looks for them finds nothing."""
    named = set(
        re.findall(r"`((?:job|batch|space|journal|worker|attempt|storage)\.[a-z_]+)`", PAGE)
    )

    assert len(named) > 5
    assert named <= set(events())


def test_settings_that_the_page_names_are_there() -> None:
    """With and without their prefix."""
    known = {name.upper() for name in Settings.model_fields}
    named = set(re.findall(r"`MEM9_ASYNC_([A-Z_]+)[`=]", PAGE))
    named |= {name for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", PAGE)}
    others = {"PLUGIN_WORKING_PATH", "LOG_OUTPUT_FORMAT"}

    assert {name.removeprefix("MEM9_ASYNC_") for name in named} - others <= known
