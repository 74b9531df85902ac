"""Settings that cannot be used keep their defaults and are told; nothing stops the start."""

import random
from pathlib import Path

import pytest
from pydantic_settings import SettingsError

from mem9_async import settings
from mem9_async.settings import Settings

_WRONG = ("", "-5", "x", "nan", "inf", "1e400", "9" * 5_000, "10", "0", "true", "[1", "\udcff")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MEM9_ASYNC_{name.upper()}", raising=False)


def test_values_that_can_be_used_are_read_and_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Durations take a unit."""
    monkeypatch.setenv("MEM9_ASYNC_DELIVERY_DEADLINE", "2h")
    monkeypatch.setenv("MEM9_ASYNC_DATA_DIR", str(tmp_path))

    loaded, problems = settings.load()

    assert (loaded.delivery_deadline, loaded.data_dir, problems) == (7_200.0, tmp_path, ())


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("off", "off"),
        (" OFF ", "off"),
        ("", None),
        (" /Var/Lib/mem9.prom ", Path("/Var/Lib/mem9.prom")),
        ("Offside.prom", Path("Offside.prom")),
    ],
)
def test_a_file_is_a_path_as_typed_or_off(
    monkeypatch: pytest.MonkeyPatch, typed: str, read: Path | str | None
) -> None:
    """The case of a path matters, that of `off` does not; nothing means the default."""
    monkeypatch.setenv("MEM9_ASYNC_METRICS_FILE", typed)
    loaded, problems = settings.load()

    assert (loaded.metrics_file, problems) == (read, ())


def test_a_fault_that_shows_only_after_another_is_mended_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The values contradict each other, which is seen when each of them can be read."""
    monkeypatch.setenv("MEM9_ASYNC_LINGER_MS", "-5")
    monkeypatch.setenv("MEM9_ASYNC_DELIVERY_DEADLINE", "10")
    monkeypatch.setenv("MEM9_ASYNC_MAX_ATTEMPTS", "7")

    loaded, problems = settings.load()

    assert (loaded.linger_ms, loaded.delivery_deadline) == (1_000, 72 * 3600.0)
    assert loaded.max_attempts == 7
    assert [told.split(":")[0] for told in problems] == [
        "MEM9_ASYNC_LINGER_MS",
        "MEM9_ASYNC_DELIVERY_DEADLINE",
    ]


@pytest.mark.parametrize("seed", range(60))
def test_no_environment_stops_the_start(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever stands there: settings that hold, and a sentence for each that was replaced."""
    rng = random.Random(seed)
    names = rng.sample(sorted(Settings.model_fields), rng.randint(1, len(Settings.model_fields)))
    for name in names:
        monkeypatch.setenv(f"MEM9_ASYNC_{name.upper()}", rng.choice(_WRONG))

    loaded, problems = settings.load()

    assert Settings(**loaded.model_dump()) == loaded
    told = {problem.split(":")[0] for problem in problems}
    assert told <= {f"MEM9_ASYNC_{name.upper()}" for name in names}


def test_an_environment_that_cannot_be_read_at_all_means_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last resort: every setting is told, and none is read."""

    def broken(**_: object) -> Settings:
        raise SettingsError("the source cannot be read")

    construct = Settings.model_construct
    monkeypatch.setattr(settings, "Settings", broken)
    monkeypatch.setattr(broken, "model_fields", Settings.model_fields, raising=False)
    monkeypatch.setattr(broken, "model_construct", construct, raising=False)

    loaded, problems = settings.load()

    assert loaded.linger_ms == 1_000
    assert len(problems) == len(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "typed", "read"),
    [
        ("log_level", "DEBUG", "debug"),
        ("log_level", " Warning\t", "warning"),
        ("overflow", "Block", "block"),
        ("retry_jitter", "NONE", "none"),
        ("durability", "Power ", "power"),
        ("confirmation", "Ingested\r\n", "ingested"),
        ("persist_keys", " FALSE ", False),
        ("linger_ms", " 50 ", 50),
        ("delivery_deadline", " 2H ", 7_200.0),
        ("dead_letter_retention", "15MIN", 900.0),
        ("retry_multiplier", "3.0\n", 3.0),
    ],
)
def test_a_value_is_read_in_any_case_and_with_spaces_around(
    monkeypatch: pytest.MonkeyPatch, name: str, typed: str, read: object
) -> None:
    """As people type it into a Compose file or a form."""
    monkeypatch.setenv(f"MEM9_ASYNC_{name.upper()}", typed)

    loaded, problems = settings.load()

    assert (getattr(loaded, name), problems) == (read, ())


def test_the_journals_secret_and_a_path_keep_their_case_and_spaces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret that was changed would no longer open the journal."""
    monkeypatch.setenv("MEM9_ASYNC_JOURNAL_KEY", " Secret With Spaces ")
    monkeypatch.setenv("MEM9_ASYNC_DATA_DIR", "/Data")

    loaded, _ = settings.load()

    assert loaded.journal_key is not None
    assert loaded.journal_key.get_secret_value() == " Secret With Spaces "
    assert str(loaded.data_dir) == "/Data"
