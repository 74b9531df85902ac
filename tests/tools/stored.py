"""What Dify's daemon makes of our declaration: the JSON that it keeps, and sends round per call.

Its structures have a field for everything that a declaration may say; what ours leaves out is
stored as null, false or an empty text (docs/reference/real-host.md, 3).
"""

import json
from typing import Any

_PARAMETER: dict[str, Any] = {
    "scope": None, "llm_description": "", "required": False, "auto_generate": None,
    "template": None, "default": None, "min": None, "max": None, "multiple": False,
    "precision": None, "options": None,
}  # fmt: skip
_CREDENTIAL: dict[str, Any] = {
    "scope": None, "required": False, "default": None, "options": None, "multiple": False,
    "help": None, "url": None, "placeholder": None,
}  # fmt: skip
_EXTENSIONS = {"models": None, "endpoints": None, "agent_strategies": None, "datasources": None,
               "triggers": None}  # fmt: skip


def size_bytes(
    manifest: dict[str, Any], provider: dict[str, Any], tools: list[dict[str, Any]]
) -> int:
    """The length of the stored declaration as UTF-8 JSON."""
    stored = {
        **{name: value for name, value in manifest.items() if name != "plugins"},
        "plugins": {**_EXTENSIONS, **manifest["plugins"]},
        "verified": False,
        "tool": {
            "identity": provider["identity"],
            "credentials_schema": [
                {"name": name, **_CREDENTIAL, **_optioned(field)}
                for name, field in provider["credentials_for_provider"].items()
            ],
            "oauth_schema": None,
            "tools": [
                {
                    "identity": tool["identity"],
                    "description": tool["description"],
                    "parameters": [
                        {**_PARAMETER, **_optioned(each)} for each in tool["parameters"]
                    ],
                    "output_schema": tool["output_schema"],
                    "has_runtime_parameters": False,
                }
                for tool in tools
            ],
        },
    }
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"), default=str)
    return len(text.encode())


def _optioned(field: dict[str, Any]) -> dict[str, Any]:
    if not field.get("options"):
        return field
    return {**field, "options": [{**option, "icon": ""} for option in field["options"]]}
