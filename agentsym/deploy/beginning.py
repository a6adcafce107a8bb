"""The first start of a deployment, and what a later start does when the agent's files have changed meanwhile.

Which of the two counts, what people changed or what was learned, is never guessed.
"""

from __future__ import annotations

from typing import Literal

from agentsym.errors import UsageError
from agentsym.network.network import Network
from agentsym.store.live.lifecycle import Deployment
from agentsym.store.store import Store

Choice = Literal["take", "keep"]


def begin(store: Store, name: str, agent: Network, *, actor: str, choice: Choice | None = None) -> Deployment:
    """Return the deployment as it is to be served; a new one begins with the agent as its files are.

    Args:
        store: where deployments are.
        name: the deployment's name.
        agent: the agent as its files are.
        actor: who the audit log names.
        choice: what counts when the files have changed since the deployment took them over last: `take` makes them
            live (what was learned stays in the history), `keep` goes on with what is live.

    Raises:
        UsageError: the files have changed and `choice` does not say what counts; or another agent has the name.
    """
    found = store.releases.begin(name, agent, actor=actor)
    if (theirs := store.releases.content(name, found.live)["name"]) != agent.name:
        raise UsageError(
            f"the deployment {name!r} is of the agent {theirs!r}, not of {agent.name!r}; give this one a name of its "
            f"own with --name, for example --name {agent.name if agent.name != name else f'{name}-2'}"
        )
    if found.source == agent.version:
        return found
    if choice is None:
        raise UsageError(
            f"the files of {agent.name!r} have changed since the deployment {name!r} began: they were "
            f"{found.source[:12]} and are {agent.version[:12]}; live is {found.live[:12]}. Say what counts: --take "
            "serves the files as they are now (what was learned stays in the history), --keep goes on with the live "
            "version"
        )
    if choice == "take":
        store.releases.take(name, agent, expected=found.live, actor=actor)
        taken = store.releases.deployment(name)
        assert taken is not None
        return taken
    return found
