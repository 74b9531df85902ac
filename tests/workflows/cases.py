"""The workflows, and what has to come of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import JsonValue

from tests.host.process import ROOT
from tests.workflows.dsl import Workflow, branches, paths

TEA = "I take tea with oat milk."
STORES = 50
ARRAYS: Mapping[str, JsonValue] = {
    "numbers": [str(number) for number in range(STORES)],
    "turns": [{"role": "user", "content": "I row boats."},
              {"role": "user", "content": "Isn't it \"odd\", I keep bees."}],
}  # fmt: skip
Outputs = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Case:
    """One run of a workflow.

    `check` returns what is wrong with the outputs, empty when nothing is. `fails` is a part of
    the error that the run has to end in; `key` says which credentials, `arrived` what mem9 must
    hold afterwards.
    """

    name: str
    flow: Workflow
    check: Callable[[Outputs], str] = lambda _: ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    fails: str | None = None
    key: str = "first"
    arrived: tuple[str, ...] = ()


def cases(second_key: str) -> list[Case]:
    """All of them, in order: later ones find what earlier ones stored."""
    return [
        Case("store, and a branch on each field of its schema", _store_and_branch(),
             _is("ok", True), {"text": TEA}, arrived=(TEA,)),
        *(Case(f"{tool}, and a branch on each field of its schema", _tool_and_branch(tool),
               _has("ok")) for tool in ("memory_search", "memory_list", "memory_get",
                                        "memory_update", "memory_delete", "memory_queue")),
        Case("a branch on a field that no schema has ends the run", _undeclared(),
             inputs={"text": TEA}, fails="not found"),
        Case("search into a prompt", _prompt(), _contains("prompt", TEA)),
        Case("search into an iteration over memories", _iterate(),
             _contains("lines", f"<{TEA}>")),
        Case("an array bound to messages", _messages(), _all(_is("ok", True), _is("bound", True)),
             arrived=("I row boats.", "Isn't it \"odd\", I keep bees.")),
        Case("two spaces, a key on each node", _two_spaces(second_key), _is("here", True),
             key="none", arrived=("This is for the second space.",)),
        Case("a failing server, soft: the other branch", _soft(), _is("said", "unavailable"),
             key="failing"),
        Case("a failing server, raise: the node fails", _raising(), fails="mem9", key="failing"),
        *(Case(f"a chatflow, conversation {name}", _chat(), _contains("answer", f"{name}: True"),
               {"query": f"I am {name}."}, {"conversation_id": name}, arrived=(f"I am {name}.",))
          for name in ("Ann", "Bob")),
        Case(f"a node inside an iteration that stores {STORES} times", _many(),
             _counts("stored", STORES),
             arrived=tuple(f"Number {n} is kept." for n in range(STORES))),
    ]  # fmt: skip


def one_shot_cases() -> list[Case]:
    """What a host can still do that ends the plugin at each answer."""
    return [
        Case(f"one-shot store {n}", _store_and_branch(), _is("ok", True), {"text": f"Shot {n}."},
             arrived=(f"Shot {n}.",))
        for n in range(3)
    ] + [Case("one-shot search", _prompt("shot"), _contains("prompt", "Shot"))]  # fmt: skip


def _store_and_branch() -> Workflow:
    flow = Workflow()
    store = flow.tool(
        "store", "memory_store", flow.start("text"), content="{{#start.text#}}", session_id="s1"
    )
    last = branches(flow, store, "store", _declared("memory_store"))
    flow.end(last, ok=("store", "ok"), reason=("store", "retry", "reason"))
    return flow


def _tool_and_branch(tool: str) -> Workflow:
    flow = Workflow()
    given: dict[str, Any] = {
        "memory_search": {"query": "oat milk"},
        "memory_get": {"memory_id": "none"},
        "memory_update": {"memory_id": "none", "content": "x"},
        "memory_delete": {"memory_ids": "none"},
    }.get(tool, {})
    node = flow.tool("node", tool, flow.start(), **given)
    flow.end(branches(flow, node, "node", _declared(tool)), ok=("node", "ok"))
    return flow


def _prompt(query: str = "oat milk") -> Workflow:
    flow = Workflow()
    search = flow.tool("search", "memory_search", flow.start(), query=query, auto_retry=True)
    prompt = flow.template("prompt", search, "Known: {{ known }}", known=("search", "context"))
    flow.end(prompt, prompt=("prompt", "output"), count=("search", "result_count"))
    return flow


def _iterate() -> Workflow:
    flow = Workflow()
    search = flow.tool("search", "memory_search", flow.start(), query="oat milk")
    begins = flow.iteration("each", search, ("search", "memories"), ("line", "output"))
    flow.template("line", begins, "<{{ memory.content }}>", inside="each", memory=("each", "item"))
    flow.end("each", lines=("each", "output"))
    return flow


def _messages() -> Workflow:
    """Bound in a text, where the engine writes the array as Python does, and as a variable."""
    flow = Workflow()
    turns = _array(flow, "turns", flow.start(), "array[object]")
    text = flow.tool("text", "memory_store", turns, messages="{{#turns.output#}}")
    bound = flow.tool(
        "bound", "memory_store", text, messages=["turns", "output"], session_id="bound"
    )
    flow.end(bound, ok=("text", "ok"), bound=("bound", "ok"), error=("bound", "error"))
    return flow


def _two_spaces(second_key: str) -> Workflow:
    flow = Workflow()
    store = flow.tool(
        "store",
        "memory_store",
        flow.start(),
        api_key=second_key,
        content="This is for the second space.",
    )
    flow.end(store, here=("store", "ok"), error=("store", "error"))
    return flow


def _soft() -> Workflow:
    flow = Workflow()
    search = flow.tool("search", "memory_search", flow.start(), query="x", error_mode="soft")
    fork = flow.branch("fork", search, ("search", "retry", "retryable"), "is", True)
    said = flow.template(
        "said", fork, "{{ why }}", handle="true", why=("search", "retry", "reason")
    )
    flow.end(said, said=("said", "output"))
    flow.end(fork, "false", "other", said=("search", "error"))
    return flow


def _raising() -> Workflow:
    flow = Workflow()
    search = flow.tool("search", "memory_search", flow.start(), query="x", error_mode="raise")
    flow.end(search, ok=("search", "ok"))
    return flow


def _chat() -> Workflow:
    flow = Workflow(chat=True)
    store = flow.tool(
        "store",
        "memory_store",
        flow.start(),
        content="{{#sys.query#}}",
        session_id="{{#sys.conversation_id#}}",
    )
    flow.answer(store, "{{#sys.conversation_id#}}: {{#store.ok#}}")
    return flow


def _many() -> Workflow:
    flow = Workflow()
    split = _array(flow, "numbers", flow.start(), "array[string]")
    begins = flow.iteration("each", split, ("numbers", "output"), ("store", "ok"))
    flow.tool(
        "store",
        "memory_store",
        begins,
        inside="each",
        session_id="many",
        content="Number {{#each.item#}} is kept.",
    )
    flow.end("each", stored=("each", "output"))
    return flow


def _array(flow: Workflow, name: str, after: str, kind: str) -> str:
    """A node that passes on the array which the run was given under *name*."""
    return flow.add(
        name, after, type="variable-aggregator", output_type=kind, variables=[["start", name]]
    )


def _undeclared() -> Workflow:
    flow = Workflow()
    store = flow.tool("store", "memory_store", flow.start("text"), content="{{#start.text#}}")
    flow.end(branches(flow, store, "store", [("retry", "unheard_of")]), ok=("store", "ok"))
    return flow


def _declared(tool: str) -> list[tuple[str, ...]]:
    declared = yaml.safe_load((ROOT / f"mem9_async/tools/{tool}.yaml").read_text())
    return list(paths(declared["output_schema"]))


def _is(name: str, value: JsonValue) -> Callable[[Outputs], str]:
    return lambda outputs: "" if outputs.get(name) == value else f"{name}: {outputs.get(name)!r}"


def _has(name: str) -> Callable[[Outputs], str]:
    return lambda outputs: "" if outputs.get(name) is not None else f"no {name}"


def _contains(name: str, part: str) -> Callable[[Outputs], str]:
    def check(outputs: Outputs) -> str:
        return "" if part in str(outputs.get(name)) else f"{name}: {outputs.get(name)!r}"

    return check


def _all(*checks: Callable[[Outputs], str]) -> Callable[[Outputs], str]:
    return lambda outputs: " ".join(check(outputs) for check in checks).strip()


def _counts(name: str, count: int) -> Callable[[Outputs], str]:
    def check(outputs: Outputs) -> str:
        found = outputs.get(name)
        told = found.count(True) if isinstance(found, list) else 0
        return "" if told == count else f"{name}: {told} of {count}"

    return check
