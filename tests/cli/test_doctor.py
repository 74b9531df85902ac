"""The doctor names what is wrong, says what helps, and its exit code tells a script."""

import json
import sys
from io import StringIO
from pathlib import Path

import aiohttp
import pytest
from rich.console import Console

from mem9_async.cli import doctor
from mem9_async.devserver.server import DevServer
from mem9_async.runtime.storage import mounts
from mem9_async.settings import Settings
from tests.cli.conftest import Served
from tests.client.peers import http, peer, says
from tests.faults import certificates
from tests.faults.server import RefusedPort


def seen(findings: list[doctor.Finding], subject: str) -> doctor.Finding:
    """The finding about *subject*."""
    return next(each for each in findings if each.subject == subject)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 36, 0), "bad"),
        ((3, 40, 1), "note"),
        ((3, 44, 5), "note"),
        ((3, 44, 6), "ok"),
        ((3, 50, 6), "note"),
        ((3, 50, 7), "ok"),
        ((3, 51, 2), "note"),
        ((3, 51, 3), "ok"),
        ((4, 0, 0), "ok"),
    ],
)
def test_sqlite_is_judged_by_its_version(version: tuple[int, int, int], level: str) -> None:
    """Too old is bad; the range with the WAL-reset bug gets a note, its patched releases none."""
    assert doctor.sqlite(version).level == level


def test_only_the_hosts_python_will_do() -> None:
    """Dify's plugin host runs 3.12, whatever else is installed."""
    assert doctor.python((3, 12, 1)).level == "ok"
    assert doctor.python((3, 13, 0)).level == "bad"
    assert doctor.python(sys.version_info[:3]).level == "ok"


def test_a_data_directory_is_looked_at_and_not_made(tmp_path: Path) -> None:
    """One that is missing can be made later; the doctor leaves no trace."""
    place = tmp_path / "not" / "there"

    findings = list(doctor.directory(Settings(data_dir=place), tmp_path))

    assert seen(findings, "data directory").level == "ok"
    assert "can be made" in seen(findings, "data directory").says
    assert not place.exists()


def test_a_file_in_the_way_of_the_data_directory_is_bad(tmp_path: Path) -> None:
    """Nothing can be made below a file, for root either."""
    (tmp_path / "file").write_text("")

    (finding,) = doctor.directory(Settings(data_dir=tmp_path / "file" / "data"), tmp_path)

    assert finding.level == "bad"
    assert "MEM9_ASYNC_DATA_DIR" in finding.fix


def test_a_disk_too_small_for_a_full_journal_is_bad(tmp_path: Path) -> None:
    """The limit that can be lowered is named."""
    settings = Settings(data_dir=tmp_path)
    tight = settings.model_copy(update={"journal_max_bytes": 10**18})

    assert seen(list(doctor.directory(tight, tmp_path)), "free space").level == "bad"


async def test_a_good_key_is_good(served: Served) -> None:
    """A trailing slash of the address makes no difference."""
    space = doctor.target(f"{served.base_url}/", served.key)

    assert (await doctor.mem9(space)).level == "ok"


async def test_a_mem9_without_a_language_model_is_noted() -> None:
    """Once it has been sent something: its counters tell, free of charge."""
    async with DevServer(llm=False) as server:
        asked = doctor.target(server.base_url, server.key)
        assert (await doctor.mem9(asked)).level == "ok"
        async with aiohttp.ClientSession() as session:
            await session.post(
                f"{server.base_url}/v1alpha2/mem9s/memories",
                json={"messages": [{"role": "user", "content": "I row."}]},
                headers={"X-API-Key": server.key},
            )
        finding = await doctor.mem9(asked)

    assert finding.level == "note"
    assert "language model" in finding.says


async def test_a_wrong_key_is_bad_and_says_what_helps(served: Served) -> None:
    """mem9's refusal is passed on with advice."""
    finding = await doctor.mem9(doctor.target(served.base_url, "sk-nobody"))

    assert finding.level == "bad"
    assert "mem9 does not know this key" in finding.says
    assert "HTTP 400: invalid API key" in finding.says
    assert "key" in finding.fix


async def test_nobody_listening_is_bad_and_says_what_helps() -> None:
    """The commonest trap of all, a container's own localhost, is named."""
    finding = await doctor.mem9(doctor.target("http://127.0.0.1:9", "sk"))

    assert finding.level == "bad"
    assert "container" in finding.fix


def test_no_key_means_the_hosted_mem9_is_not_asked() -> None:
    """Nothing goes out to the network unless a key was given."""
    assert doctor.target(None, None) is None
    assert doctor.target(None, "sk") == doctor.target(doctor.HOSTED, "sk")


async def test_a_setting_that_is_ignored_makes_the_examination_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The plugin would start and use the default: here is where one learns of it."""
    monkeypatch.setenv("MEM9_ASYNC_LINGER_MS", "soon")
    shown = StringIO()

    healthy = await doctor.examine(Console(file=shown), None, data_dir=tmp_path)

    assert not healthy
    assert "MEM9_ASYNC_LINGER_MS" in shown.getvalue()


async def test_a_sound_machine_passes(tmp_path: Path, served: Served) -> None:
    """With nothing wrong the answer is yes, and the key is not printed."""
    shown = StringIO()

    healthy = await doctor.examine(
        Console(file=shown), doctor.target(served.base_url, served.key), data_dir=tmp_path
    )

    assert healthy, shown.getvalue()
    assert served.key not in shown.getvalue()


async def test_provision_prints_a_key_that_opens_its_space(served: Served) -> None:
    """A self-hosted mem9 gives keys to whoever asks."""
    shown = StringIO()

    assert await doctor.provision(Console(file=shown), served.base_url)

    key = shown.getvalue().split()[-1]
    assert key != served.key
    assert (await doctor.mem9(doctor.target(served.base_url, key))).level == "ok"


@pytest.mark.parametrize(
    ("status", "sentence", "helps"),
    [
        (400, 'auto-provisioning requires tidb backend; got "postgres"', "tenants"),
        (404, "no such [red]page[/red]", "whoever runs it"),
        (401, "not for everybody", "take a key"),
        (500, "the pool is empty", ""),
    ],
)
async def test_provision_passes_on_why_mem9_made_nothing_and_says_what_to_do(
    status: int, sentence: str, helps: str
) -> None:
    """The server's own sentence, brackets and all."""
    shown = StringIO()
    answer = http(status, json.dumps({"error": sentence}).encode())
    async with peer(says(answer)) as server:
        assert not await doctor.provision(Console(file=shown, width=500), server.url)

    assert f"mem9 answered HTTP {status}: {sentence}" in shown.getvalue()
    assert helps in shown.getvalue()


async def test_provision_says_that_nobody_listens() -> None:
    """No key, no success."""
    shown = StringIO()

    with RefusedPort() as refused:
        assert not await doctor.provision(Console(file=shown), refused.url)

    assert "refused" in shown.getvalue()


async def test_a_refused_key_is_told_in_mem9s_own_words_without_the_key() -> None:
    """Whatever the server repeats; the advice speaks of the key, not of making spaces."""
    shown = StringIO()
    async with peer(
        says(http(403, b'{"error": "sk-mine-0123456789 is [not] for here"}'))
    ) as server:
        space = doctor.target(server.url, "sk-mine-0123456789")

        assert not await doctor.examine(Console(file=shown, width=500), space)

    assert "HTTP 403" in shown.getvalue()
    assert "is [not] for here" in shown.getvalue()
    assert "sk-mine-0123456789" not in shown.getvalue()
    assert "--provision" not in shown.getvalue()


@pytest.mark.parametrize(
    ("environment", "level", "says"),
    [
        ({}, "ok", "directly"),
        ({"HTTPS_PROXY": "http://me:secret@proxy.test:3128"}, "ok", "http://proxy.test:3128"),
        ({"ALL_PROXY": "http://proxy.test:3128", "NO_PROXY": "*.mem9.ai"}, "ok", "directly"),
        ({"ALL_PROXY": "socks5://proxy.test:1080"}, "bad", "socks5"),
    ],
)
def test_the_way_to_mem9_is_shown(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], level: str, says: str
) -> None:
    """Which proxy would be used, without its password."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    found = doctor.proxy(None)

    assert (found.level, says in found.says) == (level, True)
    assert "secret" not in found.says


def test_a_file_of_authorities_that_cannot_be_read_is_bad(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that holds some is trusted, whichever variable names it."""
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificates.make(tmp_path).ca))

    findings = list(doctor.authorities())

    assert [(each.subject, each.level) for each in findings] == [
        ("SSL_CERT_FILE", "bad"),
        ("REQUESTS_CA_BUNDLE", "bad"),
        ("CURL_CA_BUNDLE", "ok"),
    ]


def test_a_data_directory_that_may_not_last_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the remedy: a volume."""
    listed = tmp_path / "mountinfo"
    listed.write_text("30 1 0:28 / / rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", listed)

    notes = [
        each
        for each in doctor.directory(Settings(data_dir=tmp_path / "data"), tmp_path)
        if each.level == "note"
    ]

    assert ["tmpfs" in note.says and "MEM9_ASYNC_DATA_DIR" in note.fix for note in notes] == [True]
