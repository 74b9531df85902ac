"""Which mem9 is played: its database, and which models it was given."""

import math
from dataclasses import dataclass
from typing import Literal

Database = Literal["tidb", "postgres"]


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs between set-ups of mem9.

    On `postgres` there are no raw messages, no provisioning and no U+0000, and times have
    microseconds; on `tidb` they are whole seconds. Without `llm` messages become nothing; without
    `embedder` a recall has its keyword leg alone.
    """

    database: Database = "tidb"
    llm: bool = True
    embedder: bool = True

    @property
    def on_postgres(self) -> bool:
        """Whether PostgreSQL is underneath."""
        return self.database == "postgres"

    def stamp(self, now_s: float) -> float:
        """*now_s* as the database keeps it."""
        return round(now_s, 6) if self.on_postgres else float(math.floor(now_s))
