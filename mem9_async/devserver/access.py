"""Whose data a request may touch: a space by its key, or a chain of spaces."""

from dataclasses import dataclass

from pydantic import JsonValue

from mem9_async.devserver.answers import Refusal
from mem9_async.devserver.chains import Chains
from mem9_async.devserver.tenants import CHAIN_KEY_PREFIX, Tenant, Tenants

API_KEY_HEADER = "X-API-Key"
AGENT_HEADER = "X-Mnemo-Agent-Id"


@dataclass(frozen=True, slots=True)
class Node:
    """One space of an access; `position` and `external_space_id` mean something in a chain."""

    tenant: Tenant
    position: int = 0
    external_space_id: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The spaces a key opens, in order; `chain_id` is None for an ordinary key."""

    nodes: tuple[Node, ...]
    chain_id: str | None = None

    @property
    def writes_to(self) -> Tenant:
        """The space that takes writes: the first."""
        return self.nodes[0].tenant

    def source(self, node: Node) -> dict[str, JsonValue]:
        """What a memory from *node* carries besides itself; empty without a chain."""
        if self.chain_id is None:
            return {}
        source: dict[str, JsonValue] = {
            "chain_id": self.chain_id,
            "node_position": node.position,
            "tenant_id": node.tenant.id,
        }
        if node.external_space_id:
            source["external_space_id"] = node.external_space_id
        return {"chain_source": source}


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Turns a key or a path's tenant into an access, refusing in mem9's order and words."""

    tenants: Tenants
    chains: Chains

    def by_key(self, header: str | None) -> Access:
        """v1alpha2. Raises Refusal: 400 for no or an unknown key, 503 for a broken chain."""
        key = (header or "").strip()
        if not key:
            raise Refusal(400, "missing API key")
        if key.startswith(CHAIN_KEY_PREFIX):
            return self._by_chain_key(key)
        tenant = self.tenants.find(key)
        if tenant is None or not tenant.is_active:
            raise Refusal(400, "invalid API key")
        return Access((Node(tenant),))

    def by_path(self, tenant_id: str) -> Access:
        """v1alpha1. Raises Refusal: 404 for an unknown tenant, 403 for an inactive one."""
        tenant = self.tenants.find(tenant_id)
        if tenant is None:
            raise Refusal(404, "tenant not found")
        if not tenant.is_active:
            raise Refusal(403, "tenant is not active")
        return Access((Node(tenant),))

    def key_status(self, header: str | None) -> str:
        """`active` or `inactive`. Raises Refusal: 401 without a key, 404 for an unknown one."""
        key = (header or "").strip()
        if not key:
            raise Refusal(401, "missing or malformed X-API-Key")
        if key.startswith(CHAIN_KEY_PREFIX):
            usable = self.chains.key_is_usable(key)
        else:
            tenant = self.tenants.find(key)
            usable = None if tenant is None else tenant.is_active
        if usable is None:
            raise Refusal(404, "key not found")
        return "active" if usable else "inactive"

    def _by_chain_key(self, key: str) -> Access:
        chain = self.chains.by_key(key)
        if chain is None:
            raise Refusal(400, "invalid API key")
        if not chain.nodes:
            raise Refusal(400, "Space Chain has no nodes.")
        nodes = []
        for node in chain.nodes:
            tenant = self.tenants.find(node.tenant_id)
            if tenant is None or not tenant.is_active:
                raise Refusal(503, "chain node tenant unavailable")
            nodes.append(Node(tenant, node.position, node.external_space_id))
        return Access(tuple(nodes), chain.id)
