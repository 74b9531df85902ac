"""Takes any credentials."""

from collections.abc import Mapping

from dify_plugin import ToolProvider


class BenchProvider(ToolProvider):
    def _validate_credentials(self, credentials: Mapping[str, object]) -> None:
        return None
