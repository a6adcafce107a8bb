"""A process of its own that appends to a store and says so: `python writer.py STORE RUN NAME COUNT [SIZE]`."""

import sys

from agentsym.store import Store

path, run, name, count, *rest = sys.argv[1:]
padding = "x" * int(rest[0]) if rest else ""
with Store.open(path) as store:
    for number in range(int(count)):
        print(store.append(run, "note", {"by": name, "number": number, "padding": padding}), flush=True)
