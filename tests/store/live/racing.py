"""A process that tries one change of a deployment and says how it went: a double of a second server or promoter."""

import sys

from agentsym.errors import ConflictError
from agentsym.store import Store
from tests.store.live.versions import VERSIONS

place, what, number = sys.argv[1:]
with Store.open(place) as store:
    releases = store.releases
    me = f"process {number}"
    if what == "promote":
        release = releases.release("things", VERSIONS[1].version)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        if what == "begin":
            print(releases.begin("things", VERSIONS[0], actor=me).live)
        elif what == "promote":
            print(releases.promote(release, expected=VERSIONS[0].version, actor=me, reason=me).live)
        elif what == "write":
            for each in range(50):
                store.audit.write(me, "noted", "things", {"number": each})
            print("written")
    except ConflictError as error:
        print(f"conflict: {error}")
