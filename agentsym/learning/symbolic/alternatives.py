"""Other settings as changes: the options and numbers of blamed nodes, tried without asking anybody.

Which model, which temperature or which threshold a node needs is seldom to be read off a failing run; it is quicker to
run the failure with each. That costs runs and no teacher call, and comes when edits of the texts have stopped to help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentsym.learning.protocols import Update
from agentsym.learning.symbolic.attempts import Attempts
from agentsym.learning.symbolic.changes import told
from agentsym.learning.symbolic.gates import ALTERNATIVES
from agentsym.learning.symbolic.mend import Case
from agentsym.learning.teacher.operations import editable_at
from agentsym.network.edits import SetParameter
from agentsym.network.network import Network
from agentsym.network.parameters import Number, Option, Parameter


def other_settings(network: Network, cases: Sequence[Case], attempts: Attempts) -> tuple[Update, ...]:
    """Return a change for each other value of each learnable option and number of the nodes that are to blame.

    Of an option every other one; of a number the ends of its range and the middles between them and its value. What was
    tried before against all the failures that it could mend is left out, and of many settings as many are returned as
    the gate tries in one step; the others have their turn later.
    """
    blamed: dict[str, list[str]] = {}
    for case in cases:
        for node, share in case.blame.shares.items():
            for path in editable_at(network, node) if share else ():
                blamed.setdefault(path, []).append(case.id)
    keys = {case.id: case.group.key for case in cases}

    def is_new(change: Update) -> bool:
        did = told(change, network)
        return any(did not in [attempt.did for attempt in attempts.get(keys[row], ())] for row in change.groups)

    changes = (
        Update(
            parameter=path,
            status="committed",
            edits=(SetParameter(path=path, value=value, why="another setting"),),
            groups=tuple(dict.fromkeys(rows)),
        )
        for path, rows in blamed.items()
        for value in _others(network.parameter(path))
    )
    new = [change for change in changes if is_new(change)]
    first = {change.parameter: change for change in reversed(new)}  # of each parameter one is in the first trial
    others = [change for change in new if change is not first[change.parameter]]
    return (*reversed(first.values()), *others[:ALTERNATIVES])


def _others(parameter: Parameter) -> Iterator[str | float]:
    """Yield the other values that are tried."""
    if isinstance(parameter, Option):
        yield from (value for value in parameter.options if value != parameter.value)
    if isinstance(parameter, Number):
        low, now, high = parameter.low, parameter.value, parameter.high
        tried = (low, _rounded((low + now) / 2), _rounded((now + high) / 2), high)
        yield from (value for value in dict.fromkeys(tried) if value != now)


def _rounded(value: float) -> float:
    """Return a number with six digits, so that a prompt or a journal shows no noise."""
    return float(f"{value:.6g}")
