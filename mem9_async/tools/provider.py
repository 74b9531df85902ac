"""The tool provider: its credentials are checked when somebody saves them."""

from typing import Any

from dify_plugin import ToolProvider
from dify_plugin.errors.tool import ToolProviderCredentialValidationError

from mem9_async.runtime import current
from mem9_async.tools.credentials import problem


class Mem9AsyncProvider(ToolProvider):
    """Refuses credentials that mem9 does not take, saying why and what to do."""

    def _validate_credentials(self, credentials: dict[str, Any]) -> None:
        if told := problem(credentials, current.get):
            raise ToolProviderCredentialValidationError(told)
