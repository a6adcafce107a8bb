"""What is remembered: one append-only table of events is the truth, everything else is derived from it.

It is a SQLite file that anyone can open, or a database on a PostgreSQL server; only the trainer and the command line
write to it.
"""

from agentsym.store.events import Event
from agentsym.store.place import Place, default_place
from agentsym.store.reading import Recorded, RunInfo, VersionInfo
from agentsym.store.store import Store, new_run_id

__all__ = ["Event", "Place", "Recorded", "RunInfo", "Store", "VersionInfo", "default_place", "new_run_id"]
