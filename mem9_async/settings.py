"""Every knob, read once from the environment (prefix MEM9_ASYNC_) and handed down.

Names and defaults: docs/reference/reliability.md, 4.2. `_ms` is milliseconds;
durations without a unit in the name take `72h`, `15min`, `30s` or plain seconds.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

_PREFIX = "MEM9_ASYNC_"
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\s*")


def _seconds(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return float(match[1]) * _UNITS_S[match[2]]
    return value


Seconds = Annotated[float, BeforeValidator(_seconds)]


_FILES = ("log_file", "metrics_file")  # the case of a path matters
KIB = 1024
MIB = 1024 * KIB
MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


class Settings(BaseSettings):
    """The plugin's settings; frozen. `load()` is how they are read in the plugin."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    # Batching
    linger_ms: int = Field(1_000, ge=0, le=60_000)
    linger_max_ms: int = Field(3_000, ge=0, le=120_000)
    batch_max_jobs: int = Field(20, ge=1, le=100)
    batch_max_bytes: int = Field(64 * KIB, ge=KIB, le=MIB)
    job_max_bytes: int = Field(48 * KIB, ge=1, le=MIB)

    # Sending
    max_in_flight: int = Field(32, ge=1, le=200)
    max_in_flight_per_space: int = Field(4, ge=1, le=32)
    connect_timeout_ms: int = Field(5_000, ge=100, le=60_000)
    attempt_timeout_ms: int | None = Field(None, ge=100, le=900_000)
    keepalive_idle_ms: int = Field(45_000, ge=1_000, le=55_000)
    confirmation: Literal["accepted", "remembered", "ingested"] = "remembered"
    remember_window: Seconds = Field(10 * MINUTE_S, ge=1, le=DAY_S)
    remember_max_jobs: int = Field(10_000, ge=1, le=1_000_000)
    lane_gap_ms: int = Field(10_000, ge=0, le=600_000)

    # Trying again
    delivery_deadline: Seconds = Field(72 * HOUR_S, ge=0, le=30 * DAY_S)
    max_attempts: int = Field(25, ge=1, le=100)
    retry_initial_backoff_ms: int = Field(1_000, ge=1, le=600_000)
    retry_max_backoff_ms: int = Field(60_000, ge=1, le=3_600_000)
    retry_multiplier: float = Field(2.0, ge=1.0, le=10.0)
    retry_jitter: Literal["full", "none"] = "full"
    retry_budget_ratio: float = Field(0.1, ge=0.0, le=1.0)
    retry_budget_tokens: float = Field(10.0, ge=0.0, le=1_000.0)
    retry_after_max: Seconds = Field(HOUR_S, ge=0, le=DAY_S)
    circuit_failure_threshold: int = Field(5, ge=1, le=1_000)
    circuit_max_open_ms: int = Field(60_000, ge=1, le=3_600_000)
    park_quota_initial: Seconds = Field(15 * MINUTE_S, ge=0.01, le=DAY_S)
    park_quota_max: Seconds = Field(6 * HOUR_S, ge=0.01, le=7 * DAY_S)
    park_auth_initial: Seconds = Field(30.0, ge=0.01, le=DAY_S)
    park_auth_max: Seconds = Field(HOUR_S, ge=0.01, le=7 * DAY_S)

    # The journal
    data_dir: Path | None = None
    journal_max_jobs: int = Field(100_000, ge=1, le=10_000_000)
    journal_max_bytes: int = Field(256 * MIB, ge=MIB, le=64 * 1024 * MIB)
    journal_space_share: float = Field(0.5, gt=0.0, le=1.0)
    overflow: Literal["reject", "block"] = "reject"
    accept_timeout_ms: int = Field(250, ge=0, le=10_000)
    durability: Literal["process", "power"] = "process"
    journal_key: SecretStr | None = None
    persist_keys: bool = True
    dead_letter_retention: Seconds = Field(14 * DAY_S, ge=0, le=365 * DAY_S)
    dead_letter_max_bytes: int = Field(64 * MIB, ge=0, le=64 * 1024 * MIB)
    adopt_interval_ms: int = Field(2_000, ge=50, le=60_000)
    shutdown_grace_ms: int = Field(2_000, ge=0, le=10_000)

    # Searching
    search_timeout_ms: int = Field(35_000, ge=100, le=300_000)
    wait_timeout_ms: int = Field(30_000, ge=100, le=600_000)
    recent_window_ms: int = Field(120_000, ge=0, le=3_600_000)

    # Telling
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: Path | None = None
    stats_interval_ms: int = Field(60_000, ge=100, le=3_600_000)
    metrics_file: Path | Literal["off"] | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _as_typed(cls, value: object, info: ValidationInfo) -> object:
        """Take a value as people type it: spaces around, words of a choice in any case."""
        if not isinstance(value, str) or info.field_name in ("data_dir", "journal_key"):
            return value
        if info.field_name in _FILES:
            named = value.strip()
            if named.lower() == "off":
                return "off" if info.field_name == "metrics_file" else None
            return named or None
        return value.strip().lower()

    @model_validator(mode="after")
    def _deadline_leaves_room(self) -> "Settings":
        shortest_s = (self.linger_max_ms + self.attempt_timeout_effective_ms) / 1000
        if self.delivery_deadline and self.delivery_deadline < shortest_s:
            raise ValueError(
                f"delivery_deadline {self.delivery_deadline:g} s leaves no time for linger and one "
                f"attempt; it must be 0 (never) or at least {shortest_s:g} s"
            )
        return self

    @property
    def attempt_timeout_effective_ms(self) -> int:
        """The time one attempt may take: above mem9's own 9 minutes where we wait for ingestion."""
        if self.attempt_timeout_ms is not None:
            return self.attempt_timeout_ms
        return 570_000 if self.confirmation == "ingested" else 30_000


def load() -> tuple[Settings, tuple[str, ...]]:
    """Read the environment; never fail: a setting that cannot be used keeps its default.

    Returns the settings and one sentence for each ignored value (name, reason, what holds).
    The plugin logs them as `setting.ignored`: refusing to start would stop every workflow.
    """
    defaults: dict[str, Any] = {}
    problems: list[str] = []
    # A value that is replaced may bring out another fault: two values that contradict each other
    # are compared only when each of them can be read.
    while True:
        try:
            return Settings(**defaults), (*problems, *_unknown())
        except (ValidationError, SettingsError) as exc:
            wrong = {
                name: reason for name, reason in _faults(exc).items() if name not in defaults
            } or {
                name: "cannot be used with the others"
                for name in Settings.model_fields
                if name not in defaults
            }
        if not wrong:  # all are defaults, and an environment that cannot be read is still there
            return Settings.model_construct(**defaults), (*problems, *_unknown())
        for name, reason in wrong.items():
            defaults[name] = Settings.model_fields[name].default
            problems.append(f"{_PREFIX}{name.upper()}: {reason}; using {defaults[name]!r}")


def _faults(exc: ValidationError | SettingsError) -> dict[str, str]:
    if not isinstance(exc, ValidationError):
        return {}
    found = {str(error["loc"][0]): error["msg"] for error in exc.errors() if error["loc"]}
    # Else the values are fine one by one, and leave no time to deliver anything.
    return found or {"delivery_deadline": exc.errors()[0]["msg"]}


def _unknown() -> tuple[str, ...]:
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    return tuple(
        f"{name}: no such setting; ignored"
        for name in sorted(os.environ)
        if name.upper().startswith(_PREFIX) and name.upper() not in known
    )
