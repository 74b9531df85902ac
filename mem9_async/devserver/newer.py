"""Routes that mem9 learnt after May 2026, as far as a client of ours asks them.

Webhooks are kept and listed; nothing is delivered to them.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import web
from pydantic import JsonValue

from mem9_async.devserver.access import Access
from mem9_async.devserver.answers import InvalidField, Refusal, json_answer, wrong_method
from mem9_async.devserver.jsonbody import decode
from mem9_async.devserver.memory import timestamp

EVENTS = ("memory.added", "memory.deleted", "space_chain.fact_routed")
_NAME_MAX = 255


@dataclass(slots=True)
class Newer:
    """Runtime state, edits of raw turns, and webhooks of every space."""

    now_s: Callable[[], float]
    _hooks: dict[tuple[int, str], dict[str, JsonValue]] = field(default_factory=dict)

    def runtime_state(self, status: str) -> web.Response:
        """GET runtime-state for a key in *status*: nothing is metered here."""
        if status == "unknown":
            raise Refusal(404, "not found")
        shown = "active" if status == "active" else "inactive"
        gate: JsonValue = {
            "outcome": "allowed", "basis": "notMetered", "reason": "runtimeUsageDisabled",
        }  # fmt: skip
        meters: JsonValue = [
            {
                "meter": meter,
                "quotaGateResult": gate,
                "budgets": [{"type": "includedQuota", "state": "unlimited"}],
            }
            for meter in ("memory_write_requests", "memory_recall_requests")
        ]
        return json_answer(200, {"mem9ApiKey": {"status": shown}, "meters": meters})

    def edit(self) -> web.Response:
        """PUT or GET session-messages/{id}/edit of a turn that is not there."""
        raise Refusal(404, "not found")

    def webhooks(
        self, method: str, access: Access, path: tuple[str, ...], body: bytes
    ) -> web.Response:
        """The webhooks of a space. Raises Refusal."""
        if access.chain_id is not None:
            raise Refusal(400, "tenant API key required")
        tenant = access.writes_to.number
        match method, path:
            case "GET", ():
                own: JsonValue = [hook for (of, _), hook in self._hooks.items() if of == tenant]
                return json_answer(200, {"webhooks": own})
            case "POST", ():
                return self._create(tenant, access, body)
            case "GET", (hook_id,) if (tenant, hook_id) in self._hooks:
                return json_answer(200, self._hooks[tenant, hook_id])
            case "DELETE", (hook_id,) if (tenant, hook_id) in self._hooks:
                del self._hooks[tenant, hook_id]
                return web.Response(status=204)
            case _, ():
                return wrong_method(("GET", "POST"))
        raise Refusal(404, "not found")

    def _create(self, tenant: int, access: Access, body: bytes) -> web.Response:
        fields = decode(body, "createWebhookRequest")
        name, url = fields.text("name").strip(), fields.text("url").strip()
        events = fields.texts("events") or ()
        if not name:
            raise InvalidField("name", "required")
        if len(name) > _NAME_MAX:
            raise InvalidField("name", f"too long (max {_NAME_MAX})")
        _check_url(url)
        if not events:
            raise InvalidField("events", "required")
        for event in events:
            if event not in EVENTS:
                raise InvalidField("events", f"unsupported event: {event}")
        stamp = timestamp(self.now_s())
        hook: dict[str, JsonValue] = {
            "id": str(uuid4()),
            "scope_type": "tenant",
            "scope_id": access.writes_to.id,
            "name": name,
            "url": url,
            "enabled": fields.flag("enabled") if fields.has("enabled") else True,
            "events": list(events),
            "created_at": stamp,
            "updated_at": stamp,
        }
        self._hooks[tenant, str(hook["id"])] = hook
        return json_answer(201, {**hook, "signing_secret": f"whsec_{secrets.token_urlsafe(32)}"})


def _check_url(url: str) -> None:
    if not url:
        raise InvalidField("url", "required")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise InvalidField("url", "invalid") from exc
    if not parts.hostname:
        raise InvalidField("url", "invalid")
    if parts.username is not None:
        raise InvalidField("url", "userinfo is not allowed")
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
        raise InvalidField("url", "https is required")
