"""A process of its own that appends to a store: `python writer.py STORE RUN NAME COUNT [SIZE]`."""

import sys

from agentsym.store import Store

path, run, name, count, *rest = sys.argv[1:]
padding = "x" * int(rest[0]) if rest else ""
with Store.open(path) as store:
    print("open", flush=True)
    for number in range(int(count)):
        store.append(run, "note", {"by": name, "number": number, "padding": padding})
