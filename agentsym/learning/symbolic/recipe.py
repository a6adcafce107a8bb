"""`Recipe`: the settings of the combined algorithm, and the recipes that other libraries' optimizers come down to.

One loop serves all of them, so what a part is worth can be measured by switching it off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from agentsym.errors import UsageError
from agentsym.network.canonical import Frozen


class Recipe(Frozen):
    """How the combined algorithm learns.

    Attributes:
        name: what a run calls it.
        rows: train rows that are looked at at once, unless the trainer is given a batch.
        groups: failures that one step answers at most.
        blame: who is blamed for a failing run: `trajectory` asks the teacher once about the whole run, `nodes` walks it
            back node by node (as TextGrad does), `last` takes the last node that ran, `turns` takes the nodes one after
            the other (as GEPA does), `shuffled` gives the teacher's shares to the wrong nodes (an ablation).
        per: whether each group gets its own edits of a node, or a node one answer for all groups.
        joint: whether all edits of a step are tried together; else each alone.
        fix: whether an edit must mend a failing run to be kept.
        prune: whether edits that a mended failure does not need are left out (not with a noisy student).
        regression: rows that pass, and must still do so; 0 for none.
        threshold: nodes with a smaller share of the blame than this part of the largest one get no edits.
        rise: validate as soon as the share of train rows that pass has risen by so much.
        accepts: validate after so many accepted steps at the latest.
        explore: how often learning goes on from another version of the Pareto front than the best one.
        stagnation: steps in a row without an accepted edit, after which the pipeline itself is changed.
        settings: whether other options and numbers of blamed nodes are tried one step before that.
        drafts: answers that are asked for at a time where only one can be taken: of a text, of code, of the pipeline.
    """

    name: str = "symbolic"
    rows: int = Field(default=20, ge=1)
    groups: int = Field(default=8, ge=1)
    blame: Literal["trajectory", "nodes", "last", "turns", "shuffled"] = "trajectory"
    per: Literal["group", "node"] = "group"
    joint: bool = True
    fix: bool = True
    prune: bool = True
    regression: int = Field(default=8, ge=0)
    threshold: float = Field(default=0.2, ge=0.0, le=1.0)
    rise: float = Field(default=0.1, ge=0.0)
    accepts: int = Field(default=3, ge=1)
    explore: float = Field(default=0.25, ge=0.0, le=1.0)
    stagnation: int = Field(default=3, ge=1)
    settings: bool = True
    drafts: int = Field(default=4, ge=1)


RECIPES: Mapping[str, Recipe] = {
    "symbolic": Recipe(),
    "textgrad": Recipe(
        name="textgrad", rows=3, groups=3, blame="nodes", per="node", fix=False, regression=0, accepts=1, explore=0.0
    ),
    "gepa": Recipe(name="gepa", rows=3, groups=3, blame="turns", per="node", regression=3, accepts=1, explore=1.0),
}


def recipe_named(name: str) -> Recipe:
    """Return a recipe by its name."""
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
