"""Real processes, killed with SIGKILL amid a run against a real server, end as if nobody had killed them."""

import pytest

from evals.peers.processes import server
from evals.resume import MODES, Part, experiment


@pytest.mark.slow
def test_nothing_is_asked_twice_and_the_journal_is_that_of_a_whole_run() -> None:
    with server() as url:
        found = list(experiment(Part(url, "", seed=1, optimizer="paper", concurrency=8, cache=True), kills=1))
    assert [(row["mode"], row["wrong"]) for row in found] == [(mode, []) for mode in MODES]
    assert found[-1]["status"] == "budget"
