"""Tenants: one space each; the id is the API key."""

import sqlite3
from dataclasses import dataclass
from uuid import uuid4

CHAIN_KEY_PREFIX = "chain_"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A space: `number` inside, `id` outside; it serves only while `status` is `active`."""

    number: int
    id: str
    status: str

    @property
    def is_active(self) -> bool:
        """True when data routes serve it."""
        return self.status == "active"


class Tenants:
    """Finds and makes tenants; known ones are kept in memory, since every request asks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT number, id, status FROM tenants ORDER BY number")
        self._by_id = {row["id"]: Tenant(*row) for row in rows}

    def find(self, tenant_id: str) -> Tenant | None:
        """The tenant with this id; None when there is none or it was deleted."""
        tenant = self._by_id.get(tenant_id)
        return None if tenant is None or tenant.status == "deleted" else tenant

    def provision(self, tenant_id: str | None = None) -> Tenant:
        """Make a tenant (or find the one with the id given). Raises ValueError for a bad id."""
        chosen = str(uuid4()) if tenant_id is None else tenant_id.strip()
        if not chosen or "/" in chosen or chosen.startswith(CHAIN_KEY_PREFIX):
            raise ValueError(
                f"a key must not be blank, contain a slash or start with {CHAIN_KEY_PREFIX}"
            )
        if chosen not in self._by_id:
            cursor = self._connection.execute("INSERT INTO tenants (id) VALUES (?)", (chosen,))
            assert cursor.lastrowid is not None  # noqa: S101 - an INSERT always has one
            self._by_id[chosen] = Tenant(cursor.lastrowid, chosen, "active")
        return self._by_id[chosen]

    def first(self) -> Tenant | None:
        """The oldest active tenant."""
        return next((tenant for tenant in self._by_id.values() if tenant.is_active), None)

    def set_status(self, tenant_id: str, status: str) -> None:
        """`active`, `provisioning`, `suspended` or `deleted`. Raises KeyError for no such id."""
        tenant = self._by_id[tenant_id]
        self._connection.execute(
            "UPDATE tenants SET status = ? WHERE number = ?", (status, tenant.number)
        )
        self._by_id[tenant_id] = Tenant(tenant.number, tenant.id, status)
