"""Space chains: several spaces behind one key, written to the first, searched in order."""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from pydantic import JsonValue

from mem9_async.devserver.answers import InvalidField, Refusal
from mem9_async.devserver.database import one_commit
from mem9_async.devserver.jsonbody import Fields
from mem9_async.devserver.memory import timestamp
from mem9_async.devserver.tenants import CHAIN_KEY_PREFIX

_PREVIEW_LENGTH = 6


@dataclass(frozen=True, slots=True)
class ChainNode:
    """One space of a chain; positions start at 0."""

    id: str
    tenant_id: str
    external_space_id: str
    display_name: str
    position: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain with its spaces in order. Times in UTC epoch seconds."""

    id: str
    project_id: str
    name: str
    description: str
    created_by_user_id: str
    created_at: int
    updated_at: int
    nodes: tuple[ChainNode, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """One key of a chain."""

    id: str
    chain_id: str
    chain_api_key: str
    created_by_user_id: str
    disabled: bool
    created_at: int


class Chains:
    """Reads and changes chains, their keys and their nodes."""

    def __init__(self, connection: sqlite3.Connection, now_s: Callable[[], float]) -> None:
        self._connection = connection
        self._now_s = now_s

    def by_key(self, key: str, *, disabled_too: bool = False) -> Chain | None:
        """The chain of this key; None when unknown, deleted or (unless asked for) disabled."""
        row = self._connection.execute(
            "SELECT c.*, b.disabled FROM chain_bindings b JOIN chains c ON c.id = b.chain_id"
            " WHERE b.chain_api_key = ? AND NOT c.deleted",
            (key,),
        ).fetchone()
        if row is None or (row["disabled"] and not disabled_too):
            return None
        return self._chain(row)

    def key_is_usable(self, key: str) -> bool | None:
        """False for a disabled key or a deleted chain; None for a key never given out."""
        row = self._connection.execute(
            "SELECT b.disabled OR c.deleted AS unusable FROM chain_bindings b"
            " JOIN chains c ON c.id = b.chain_id WHERE b.chain_api_key = ?",
            (key,),
        ).fetchone()
        return None if row is None else not row["unusable"]

    def create(self, fields: Fields) -> tuple[Chain, Binding]:
        """Make a chain with one key. Raises Refusal when it has no name."""
        name = _required(fields, "name")
        chain_id, now_s = str(uuid4()), int(self._now_s())
        creator = fields.text("created_by_user_id").strip()
        with one_commit(self._connection):
            self._connection.execute(
                "INSERT INTO chains (id, project_id, name, description, created_by_user_id,"
                " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    chain_id,
                    fields.text("project_id").strip(),
                    name,
                    fields.text("description").strip(),
                    creator,
                    now_s,
                    now_s,
                ),
            )
            binding = self._add_binding(chain_id, _new_key(), creator)
        return self._get(chain_id), binding

    def rename(self, chain: Chain, fields: Fields) -> Chain:
        """Change name and description. Raises Refusal when the name is missing."""
        self._connection.execute(
            "UPDATE chains SET name = ?, description = ?, updated_at = ? WHERE id = ?",
            (
                _required(fields, "name"),
                fields.text("description").strip(),
                int(self._now_s()),
                chain.id,
            ),
        )
        return self._get(chain.id)

    def delete(self, chain: Chain) -> None:
        """Retire the chain with all its keys; its spaces stay."""
        self._connection.execute("UPDATE chains SET deleted = 1 WHERE id = ?", (chain.id,))

    def replace_nodes(self, chain: Chain, fields: Fields) -> tuple[ChainNode, ...]:
        """Set the spaces in the order given. Raises Refusal for missing or double ones."""
        nodes = _parse_nodes(fields)
        for node in nodes:
            self._require_tenant(node.tenant_id)
        with one_commit(self._connection):
            self._connection.execute("DELETE FROM chain_nodes WHERE chain_id = ?", (chain.id,))
            self._connection.executemany(
                "INSERT INTO chain_nodes (id, chain_id, tenant_id, external_space_id,"
                " display_name, position) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (n.id, chain.id, n.tenant_id, n.external_space_id, n.display_name, n.position)
                    for n in nodes
                ],
            )
        return nodes

    def _require_tenant(self, tenant_id: str) -> None:
        known = self._connection.execute("SELECT 1 FROM tenants WHERE id = ?", (tenant_id,))
        if known.fetchone() is None:  # a foreign key, of which mem9 says no more
            raise Refusal(500, "internal server error")

    def bindings(self, chain: Chain) -> tuple[Binding, ...]:
        """Every key of the chain, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM chain_bindings WHERE chain_id = ? ORDER BY rowid DESC", (chain.id,)
        )
        return tuple(_binding(row) for row in rows)

    def bind(self, chain: Chain, fields: Fields) -> Binding:
        """Add a key, made here unless one is given. Raises Refusal for a malformed one."""
        key = fields.text("chain_api_key").strip() or _new_key()
        if not key.startswith(CHAIN_KEY_PREFIX):
            raise InvalidField("chain_api_key", f"must start with {CHAIN_KEY_PREFIX}")
        try:
            return self._add_binding(chain.id, key, fields.text("created_by_user_id").strip())
        except sqlite3.IntegrityError as exc:
            raise Refusal(409, "conflict") from exc

    def disable(self, chain: Chain, binding_id: str) -> None:
        """Switch one key off. Raises Refusal for an unknown one and for the last active one."""
        active = [binding.id for binding in self.bindings(chain) if not binding.disabled]
        if binding_id not in active:
            raise Refusal(404, "not found")
        if len(active) == 1:
            raise InvalidField("binding_id", "at least one Space Chain key must remain active")
        self._connection.execute(
            "UPDATE chain_bindings SET disabled = 1 WHERE id = ?", (binding_id,)
        )

    def _add_binding(self, chain_id: str, key: str, creator: str) -> Binding:
        binding = Binding(
            str(uuid4()), chain_id, key, creator, disabled=False, created_at=int(self._now_s())
        )
        self._connection.execute(
            "INSERT INTO chain_bindings (id, chain_id, chain_api_key, created_by_user_id,"
            " created_at) VALUES (?, ?, ?, ?, ?)",
            (binding.id, chain_id, key, creator, binding.created_at),
        )
        return binding

    def _get(self, chain_id: str) -> Chain:
        return self._chain(
            self._connection.execute("SELECT * FROM chains WHERE id = ?", (chain_id,)).fetchone()
        )

    def _chain(self, row: sqlite3.Row) -> Chain:
        nodes = self._connection.execute(
            "SELECT id, tenant_id, external_space_id, display_name, position FROM chain_nodes"
            " WHERE chain_id = ? ORDER BY position",
            (row["id"],),
        )
        return Chain(
            id=row["id"],
            project_id=row["project_id"],
            name=row["name"],
            description=row["description"],
            created_by_user_id=row["created_by_user_id"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            nodes=tuple(ChainNode(*node) for node in nodes),
        )


def key_preview(key: str) -> str:
    """The beginning of a key, enough to tell it from others."""
    return key[: len(CHAIN_KEY_PREFIX) + _PREVIEW_LENGTH] + "..."


def node_wire(node: ChainNode, chain: Chain) -> dict[str, JsonValue]:
    """A node as mem9 sends it; empty fields are left out."""
    return {
        "id": node.id,
        "chain_id": chain.id,
        "tenant_id": node.tenant_id,
        **_filled(external_space_id=node.external_space_id, display_name=node.display_name),
        "position": node.position,
        "created_at": timestamp(chain.updated_at),
        "updated_at": timestamp(chain.updated_at),
    }


def binding_wire(binding: Binding) -> dict[str, JsonValue]:
    """A key as mem9 sends it."""
    return {
        "id": binding.id,
        "chain_id": binding.chain_id,
        "chain_api_key": binding.chain_api_key,
        "disabled": binding.disabled,
        **_filled(created_by_user_id=binding.created_by_user_id),
        "created_at": timestamp(binding.created_at),
    }


def chain_wire(chain: Chain, bindings: tuple[Binding, ...]) -> dict[str, JsonValue]:
    """A chain as mem9 sends it, with its nodes and keys; what is empty is left out."""
    nodes: list[JsonValue] = [node_wire(node, chain) for node in chain.nodes]
    keys: list[JsonValue] = [binding_wire(binding) for binding in bindings]
    return {
        "id": chain.id,
        "name": chain.name,
        **_filled(
            project_id=chain.project_id,
            description=chain.description,
            created_by_user_id=chain.created_by_user_id,
            nodes=nodes,
            bindings=keys,
        ),
        "created_at": timestamp(chain.created_at),
        "updated_at": timestamp(chain.updated_at),
    }


def _filled(**fields: JsonValue) -> dict[str, JsonValue]:
    return {name: value for name, value in fields.items() if value}


def _parse_nodes(fields: Fields) -> tuple[ChainNode, ...]:
    nodes: list[ChainNode] = []
    for position, item in enumerate(fields.objects("nodes", "SpaceChainNodeInput") or ()):
        tenant_id = item.text("tenant_id").strip()
        external = item.text("external_space_id").strip()
        if not tenant_id:
            raise InvalidField("nodes", "tenant_id required")
        if tenant_id.startswith(CHAIN_KEY_PREFIX):
            raise InvalidField("nodes", "chain nodes must be spaces, not Space Chains")
        if any(node.tenant_id == tenant_id for node in nodes):
            raise InvalidField("nodes", "duplicate tenant_id")
        if external and any(node.external_space_id == external for node in nodes):
            raise InvalidField("nodes", "duplicate external_space_id")
        display_name = item.text("display_name").strip()
        nodes.append(ChainNode(str(uuid4()), tenant_id, external, display_name, position))
    return tuple(nodes)


def _required(fields: Fields, name: str) -> str:
    if not (value := fields.text(name).strip()):
        raise InvalidField(name, "required")
    return value


def _new_key() -> str:
    return CHAIN_KEY_PREFIX + secrets.token_urlsafe(24)


def _binding(row: sqlite3.Row) -> Binding:
    return Binding(
        row["id"],
        row["chain_id"],
        row["chain_api_key"],
        row["created_by_user_id"],
        bool(row["disabled"]),
        row["created_at"],
    )
