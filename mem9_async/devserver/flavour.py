"""Which mem9 is played: its database, and which models it was given."""

import math
from dataclasses import dataclass
from typing import Literal

Database = Literal["tidb", "postgres"]
Generation = Literal["old", "new", "aws"]


@dataclass(slots=True)
class Flavour:
    """What differs between set-ups of mem9.

    On `postgres` there are no raw messages, no provisioning and no U+0000, and times have
    microseconds; on `tidb` they are whole seconds. Without `llm` messages become nothing; without
    `embedder` a recall has its keyword leg alone. `server` is which mem9 it is: that of May 2026,
    a newer one (apps, keyword search, raw turns in lists), or that one on aws, which also keeps
    stores as jobs; it may change while the server runs, as an upgrade does.
    """

    database: Database = "tidb"
    llm: bool = True
    embedder: bool = True
    server: Generation = "new"

    @property
    def is_newer(self) -> bool:
        """Whether it knows what mem9 learnt after May 2026."""
        return self.server != "old"

    @property
    def on_postgres(self) -> bool:
        """Whether PostgreSQL is underneath."""
        return self.database == "postgres"

    def stamp(self, now_s: float) -> float:
        """*now_s* as the database keeps it."""
        return round(now_s, 6) if self.on_postgres else float(math.floor(now_s))
