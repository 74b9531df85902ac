"""Quota denials, in the public form and in older ones."""

import pytest
from pydantic import JsonValue

from mem9_async.client.encoding import encode
from mem9_async.client.responses.quota_denials import is_denied, read_denial
from mem9_async.client.wire import ErrorBody, parse
from mem9_async.models.outcome import Action, Meter, QuotaDenial
from tests.client.builders import denial, open_url

LINK = "https://console.mem9.ai/console/claim?key=example"
PLAN = "https://console.mem9.ai/console/billing/plan"
CODES = ("claimApiKey", "upgradePlan", "increaseSpendingLimit", "enableOnDemand")
SAVING, RECALLING = "memory_write_requests", "memory_recall_requests"


def read(
    body: JsonValue,
    *,
    status: int = 402,
    asked: Meter = Meter.WRITE,
    retry_after: tuple[str, ...] = (),
) -> tuple[QuotaDenial, bool]:
    """A denial, and whether it is a rate limit."""
    parsed = parse(ErrorBody, encode(body))
    assert parsed is not None
    assert is_denied(parsed)

    return read_denial(parsed, status=status, asked=asked, retry_after=retry_after)


def only_about(text: str, subject: str) -> bool:
    """True when *text* speaks of saving, or of recall, and not of the other."""
    words = {"saving": ("save", "saving"), "recall": ("recall", "search")}
    about = {name for name, said in words.items() if any(word in text.lower() for word in said)}
    return about == {subject}


@pytest.mark.parametrize("code", [*CODES, "resolveAccountState", "somethingNew", None])
@pytest.mark.parametrize(("meter", "subject"), [(SAVING, "saving"), (RECALLING, "recall")])
@pytest.mark.parametrize("status", [402, 429])
def test_the_link_is_given_once_and_the_words_fit_the_meter(
    code: str | None, meter: str, subject: str, status: int
) -> None:
    """For every action, denied or slowed down."""
    body = denial(meter=meter, action=open_url(LINK, code))

    told, _ = read(body, status=status)

    assert told.user_message.count(LINK) == 1
    assert told.user_message.endswith(f" {LINK}")
    assert only_about(told.user_message.removesuffix(LINK), subject)
    assert told.action == Action(type="openUrl", provider_action_code=code, url=LINK)
    assert told.meter == meter


def test_each_action_has_words_of_its_own() -> None:
    """A user is told what is wrong, not just that something is."""
    said = {read(denial(action=open_url(LINK, code)))[0].user_message for code in CODES}

    assert len(said) == len(CODES)


def test_a_minimal_denial_is_understood() -> None:
    """All parts but the category may be missing."""
    body: JsonValue = {"details": {"errorCategory": "runtime_quota_denied"}}

    told, rate_limited = read(body)

    assert told.message
    assert told.meter is None
    assert told.action is None
    assert told.retry_after_s is None
    assert only_about(told.user_message, "saving")
    assert not rate_limited


@pytest.mark.parametrize(("asked", "subject"), [(Meter.WRITE, "saving"), (Meter.RECALL, "recall")])
@pytest.mark.parametrize("meter", [None, "memory_new_requests"])
def test_without_a_known_meter_the_request_tells_what_it_is_about(
    meter: str | None, asked: Meter, subject: str
) -> None:
    """A store is about saving, a search about recall."""
    told, _ = read(denial(meter=meter), asked=asked)

    assert only_about(told.user_message, subject)
    assert told.meter == meter


def test_the_meter_named_wins_over_the_request() -> None:
    """mem9 knows better what it has counted."""
    told, _ = read(denial(meter=RECALLING), asked=Meter.WRITE)

    assert only_about(told.user_message, "recall")


@pytest.mark.parametrize(
    "action",
    [{"type": "claimApiKey"}, {"type": "claimApiKey", "url": LINK}, {"url": LINK}, "openUrl", []],
)
def test_the_public_form_knows_one_kind_of_action(action: JsonValue) -> None:
    """Anything but a link to open is no action."""
    assert read(denial(action=action))[0].action is None


def test_the_public_form_does_not_trust_legacy_fields() -> None:
    """Neither beside the quota nor inside it."""
    body = denial(upgradeUrl=LINK, upgradeAction="claimApiKey")
    legacy: JsonValue = {"upgradeUrl": LINK, "retryAfterSeconds": 9, "code": "quota_exhausted"}
    assert isinstance(body["details"], dict)
    assert isinstance(legacy, dict)
    body = {**body, **legacy, "details": {**body["details"], **legacy}}

    told, _ = read(body)

    assert told.action is None
    assert told.retry_after_s is None
    assert LINK not in told.user_message


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "/console", "ftp://x"])
def test_an_action_without_a_link_to_open_keeps_its_code(url: str | None) -> None:
    """It is told, and no link is made up."""
    told, _ = read(denial(action=open_url(url, "upgradePlan")))

    assert told.action == Action(type="openUrl", provider_action_code="upgradePlan")
    assert "http" not in told.user_message


def test_severity_is_passed_on() -> None:
    """As sent."""
    action = open_url(LINK) | {"severity": "blocking"}

    told, _ = read(denial(action=action))

    assert told.action is not None
    assert told.action.severity == "blocking"


WITHIN: JsonValue = {"postQuotaRateLimit": {"retryAfterSeconds": 23}}


@pytest.mark.parametrize(
    ("quota", "header", "wait_s"),
    [
        ({"retryAfterSeconds": 7, "quotaGateResult": WITHIN}, ("3",), 7),
        ({"quotaGateResult": WITHIN}, ("3",), 23),
        ({}, ("3",), 3),
        ({}, ("soon", " 4 "), 4),
        ({}, (), None),
        ({"retryAfterSeconds": 0, "quotaGateResult": WITHIN}, (), 23),
        ({"retryAfterSeconds": -7}, ("3",), 3),
        ({"retryAfterSeconds": 7.5}, ("3",), 3),
        ({"retryAfterSeconds": 7.0}, (), 7),
        ({"retryAfterSeconds": "7"}, (), 7),
        ({"retryAfterSeconds": True}, (), None),
        ({"retryAfterSeconds": None}, (), None),
        ({"retryAfterSeconds": [7]}, (), None),
        ({"quotaGateResult": "odd"}, (), None),
        ({"quotaGateResult": {"postQuotaRateLimit": 5}}, (), None),
        ({}, ("1.5",), None),
        ({}, ("-1",), None),
        ({}, ("Sun, 22 Nov 2026 12:00:30 GMT",), None),
        ({}, ("9" * 4000,), None),
        ({}, ("٣",), None),
    ],
)
def test_the_first_positive_whole_wait_counts(
    quota: dict[str, JsonValue], header: tuple[str, ...], wait_s: int | None
) -> None:
    """The quota's own, then the limiter's, then the header's."""
    told, _ = read(denial(quota=quota), status=429, retry_after=header)

    assert told.retry_after_s == wait_s
    assert (f"{wait_s} seconds" in told.user_message) == (wait_s is not None)


@pytest.mark.parametrize(
    ("status", "body", "rate_limited"),
    [
        (429, denial(), True),
        (402, denial(), False),
        (402, denial(quotaGateResult={"reason": "postQuotaRateLimitExceeded"}), True),
        (402, denial(quotaGateResult={"reason": "other", "outcome": "rateLimited"}), False),
        (402, {"code": "post_quota_rate_limited", "message": "slow"}, True),
        (402, {"code": "quota_exhausted", "message": "no"}, False),
    ],
)
def test_waiting_helps_after_the_quota_only(
    status: int, body: JsonValue, rate_limited: bool
) -> None:
    """Everything else is a matter of the account."""
    assert read(body, status=status)[1] is rate_limited


@pytest.mark.parametrize(
    "body",
    [
        {"code": "quota_exhausted"},
        {"code": "post_quota_rate_limited"},
        {"code": "spending_limit_exceeded"},
        {"code": "runtime_access_blocked"},
        {"code": "runtime_quota_denied"},
        {"mem9_code": "runtime_quota_denied"},
        {"details": {"mem9Code": "runtime_quota_denied"}},
        {"details": {"mem9_code": "runtime_quota_denied"}},
    ],
)
def test_each_legacy_mark_makes_a_denial(body: JsonValue) -> None:
    """Under one stable code."""
    assert isinstance(body, dict)
    fields: JsonValue = {"upgradeAction": "upgradePlan", "upgradeUrl": PLAN, "meter": SAVING}
    details = body.get("details", {})
    assert isinstance(details, dict)
    assert isinstance(fields, dict)

    told, _ = read({**body, "message": "Quota exhausted", "details": {**details, **fields}})

    assert told.code == "runtime_quota_denied"
    assert told.message == "Quota exhausted"
    assert told.meter == SAVING
    assert told.action == Action(provider_action_code="upgradePlan", url=PLAN)
    assert told.user_message.count(PLAN) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": "quota_exhausted"},
        {"code": "other", "details": {}},
        {"details": {"errorCategory": "other"}},
        {"details": "runtime_quota_denied"},
        {"mem9_code": "other"},
        {"code": ["quota_exhausted"]},
    ],
)
def test_other_bodies_are_no_denials(body: JsonValue) -> None:
    """A plain error stays a plain error."""
    parsed = parse(ErrorBody, encode(body))

    assert parsed is not None
    assert not is_denied(parsed)


@pytest.mark.parametrize(
    ("details", "action"),
    [
        ({"recommendedAction": {"type": "claimApiKey", "url": LINK}}, ("claimApiKey", LINK)),
        ({"recommendedAction": {"type": "claimApiKey"}, "upgradeUrl": LINK}, ("claimApiKey", LINK)),
        ({"recommendedAction": open_url(PLAN, "upgradePlan")}, ("upgradePlan", PLAN)),
        ({"runtimeQuota": {"recommendedAction": open_url(PLAN)}}, ("upgradePlan", PLAN)),
        ({"upgradeUrl": PLAN}, (None, PLAN)),
        ({"upgradeAction": "upgradePlan"}, ("upgradePlan", None)),
    ],
)
def test_legacy_actions_are_found_where_they_stand(
    details: JsonValue, action: tuple[str | None, str | None]
) -> None:
    """Code and link, however they were kept."""
    told, _ = read({"code": "quota_exhausted", "message": "no", "details": details})

    assert told.action is not None
    assert (told.action.provider_action_code, told.action.url) == action


def test_a_legacy_denial_without_an_action_has_none() -> None:
    """The server's default body holds nothing else."""
    told, _ = read(
        {
            "code": "runtime_quota_denied",
            "mem9_code": "runtime_quota_denied",
            "message": "runtime usage quota denied",
            "retryable": False,
        }
    )

    assert told.message == "runtime usage quota denied"
    assert told.action is None


def test_the_message_does_not_repeat_the_link() -> None:
    """A link in mem9's own text stays there and is given to the user once."""
    told, _ = read(denial(error=f"Exhausted, see {LINK}", action=open_url(LINK)))

    assert told.message == f"Exhausted, see {LINK}"
    assert told.user_message.count(LINK) == 1
