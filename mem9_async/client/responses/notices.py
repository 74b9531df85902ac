"""Notices that come with a success: mem9's own text, or one made from its usage state."""

from dataclasses import dataclass
from enum import IntEnum

from mem9_async.client.redaction import without_key
from mem9_async.client.responses.quota_denials import linked, public_action
from mem9_async.client.wire import (
    BudgetBody,
    MeterBody,
    RuntimeStateAnswer,
    RuntimeStateBody,
    SuccessBody,
    parse,
)
from mem9_async.models.outcome import Meter

WARN_PERCENT = 80
URGENT_PERCENT = 95
_URGENT_LEFT = 5  # units
_URGENT_SHARE = 0.02  # of the capacity

_SUBJECTS = {Meter.WRITE: "saving memories", Meter.RECALL: "memory recall"}
_BUDGETS = {
    "includedQuota": "included quota",
    "spendingLimit": "spending limit",
    "credits": "credits",
}


class Level(IntEnum):
    """How much a finding matters; only the highest is told."""

    ON_DEMAND = 1
    WARNING = 2
    URGENT = 3
    EXHAUSTED = 4
    RATE_LIMITED = 5
    BLOCKED = 6
    INACTIVE_KEY = 7


@dataclass(frozen=True, slots=True)
class _Finding:
    level: Level
    sentence: str


def success_notice(body: SuccessBody, key: str) -> str | None:
    """The notice a success carries: its `message` if there is one, else one from its state.

    *key* is the API key that was sent: a server may repeat it in what it says, and this is shown.
    """
    return spoken_notice(body, key) or usage_notice(body)


def spoken_notice(body: SuccessBody, key: str) -> str | None:
    """mem9's own words without *key*."""
    return _words(body.message, key, body.runtime_state) if body.message else None


def usage_notice(body: SuccessBody) -> str | None:
    """A sentence about the usage that a success tells; None where mem9 puts it into words."""
    if not body.runtime_state or (body.message or "").strip():
        return None
    return state_notice(body.runtime_state)


def route_notice(body: bytes, key: str) -> str | None:
    """The notice in an answer of the runtime-state route; None for one that cannot be read."""
    answer = parse(RuntimeStateAnswer, body)
    if answer is None:
        return None
    state = answer.runtime_state or answer
    return _words(answer.message or "", key, state) or state_notice(state)


def _words(message: str, key: str, state: RuntimeStateBody | None) -> str | None:
    action = public_action(state.action) if state else None
    return without_key(message.strip(), key, keep=action.url if action else None) or None


def state_notice(state: RuntimeStateBody) -> str | None:
    """One sentence about the worst thing in *state*, with its link; None when all is well."""
    findings = [finding for meter in state.meters for finding in _meter_findings(meter)]
    if state.key and state.key.status == "inactive":
        findings.append(
            _Finding(Level.INACTIVE_KEY, "This mem9 key is inactive; requests with it may fail.")
        )
    if not findings:
        return None
    worst = max(findings, key=lambda finding: finding.level)  # the first among equals
    return linked(worst.sentence, public_action(state.action))


def _meter_findings(meter: MeterBody) -> list[_Finding]:
    subject = _subject(meter.meter)
    budgets = (_budget_finding(budget, subject) for budget in meter.budgets)
    findings = [finding for finding in budgets if finding is not None]
    gate = meter.gate
    if gate is None:
        pass
    elif gate.outcome == "blocked":
        findings.append(
            _Finding(Level.BLOCKED, f"mem9 does not allow {subject} at present, for quota reasons.")
        )
    elif gate.outcome == "rateLimited" or gate.mode == "postQuota":
        findings.append(
            _Finding(
                Level.RATE_LIMITED,
                f"mem9 has slowed down {subject}: the quota is used up and "
                "only a few requests a minute are let through.",
            )
        )
    elif gate.mode == "onDemand":
        findings.append(
            _Finding(
                Level.ON_DEMAND,
                f"The included mem9 quota for {subject} is used up; "
                "each further request is charged on demand.",
            )
        )
    return findings


def _budget_finding(budget: BudgetBody, subject: str) -> _Finding | None:
    name = _BUDGETS.get(budget.type or "", "quota")
    percent = _percent(budget)
    shown = "" if percent is None else f" ({percent:g}% used)"
    if budget.state == "exhausted" or (percent is not None and percent >= 100):
        return _Finding(Level.EXHAUSTED, f"The mem9 {name} for {subject} is used up.")
    warned = budget.state == "warning" or (percent is not None and percent >= WARN_PERCENT)
    if _is_urgent(budget, percent):
        return _Finding(Level.URGENT, f"The mem9 {name} for {subject} is almost used up{shown}.")
    if warned:
        return _Finding(Level.WARNING, f"The mem9 {name} for {subject} is running low{shown}.")
    return None


def _is_urgent(budget: BudgetBody, percent: int | float | None) -> bool:
    if percent is not None and percent >= URGENT_PERCENT:
        return True
    remaining = budget.usage.remaining if budget.usage else None
    if remaining is None:
        return False
    # A few requests are a few requests, whatever share of a small budget they are.
    capacity = _capacity(budget) or 0
    return remaining <= max(_URGENT_LEFT, _URGENT_SHARE * capacity)


def _percent(budget: BudgetBody) -> int | float | None:
    """The share used, 0-100; reckoned from what remains where it is not told."""
    if budget.usage is None:
        return None
    if budget.usage.percent is not None:
        return budget.usage.percent
    capacity = _capacity(budget)
    if not capacity or capacity < 0 or budget.usage.remaining is None:
        return None
    return round(100 * (1 - budget.usage.remaining / capacity), 1)


def _capacity(budget: BudgetBody) -> int | float | None:
    capacity = budget.capacity
    return capacity.value if capacity and capacity.type == "limited" else None


def _subject(name: str | None) -> str:
    return next((words for meter, words in _SUBJECTS.items() if meter == name), "mem9 requests")
