"""What is remembered: one append-only table of events is the truth, everything else is derived from it.

It is one SQLite file that anyone can open; only the trainer and the command line write to it.
"""

from agentsym.store.events import Event
from agentsym.store.reading import Recorded, RunInfo, VersionInfo
from agentsym.store.store import Store, default_path, new_run_id

__all__ = ["Event", "Recorded", "RunInfo", "Store", "VersionInfo", "default_path", "new_run_id"]
