"""Where things are at one mem9 server, and who asks."""

from functools import lru_cache

from yarl import URL

from mem9_async.client.encoding import header_value, path_segment
from mem9_async.models.space import Space


class Addresses:
    """The addresses under one base URL, built once. Raises ValueError for a base that is no URL."""

    def __init__(self, base_url: str) -> None:
        base = base_url.rstrip("/")
        self._memories = f"{base}/v1alpha2/mem9s/memories"
        self.memories = URL(self._memories)
        self.batch_delete = URL(f"{self._memories}/batch-delete")
        self.runtime_state = URL(f"{base}/v1alpha2/mem9s/runtime-state")
        self.process = URL(f"{base}/versionz")
        self.metrics = URL(f"{base}/metrics")
        self.status = URL(f"{base}/v1alpha2/status")
        self.provision = URL(f"{base}/v1alpha1/mem9s")

    def memory(self, memory_id: str) -> URL:
        """The address of one memory; its id stays one path segment whatever it holds."""
        return URL(f"{self._memories}/{path_segment(memory_id)}", encoded=True)


@lru_cache(maxsize=256)
def addresses(base_url: str) -> Addresses:
    """The addresses under *base_url*. Raises ValueError for one that is no URL."""
    return Addresses(base_url)


def status_beside(url: URL) -> URL:
    """The status route of the mem9 that *url* is an address of."""
    return URL(f"{str(url).rpartition('/v1alpha2/')[0]}/v1alpha2/status", encoded=True)


def read_headers(space: Space, caller_agent_id: str | None) -> dict[str, str]:
    """Headers of a request without a body."""
    headers = {"X-API-Key": header_value(space.key)}
    agent_id = header_value(caller_agent_id or "")
    if agent_id:
        headers["X-Mnemo-Agent-Id"] = agent_id
    return headers


def write_headers(space: Space, caller_agent_id: str | None) -> dict[str, str]:
    """Headers of a request with a JSON body."""
    return read_headers(space, caller_agent_id) | {"Content-Type": "application/json"}
