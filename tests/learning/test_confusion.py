"""The final comparison remembers what was answered for what, of each choice in the output."""

from pathlib import Path

from agentsym import Agent, Choice, PromptNode
from agentsym.learning.trainer import Trainer
from agentsym.store.store import Store

SORT = PromptNode("sort", "Name the kind.", inputs=["text"], output={"kind": Choice(["fruit", "tool"]), "note": str})
ROWS = [
    {"text": f"{word} {at}", "kind": kind} for at in range(4) for word, kind in (("apple", "fruit"), ("saw", "tool"))
]


def test_counts_agree_with_the_scores(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        tested = (
            Trainer(Agent("kinds", [SORT]), ROWS[:4], val=ROWS[4:6], test=ROWS[6:], store=store, steps=2).fit().tested
        )
    assert tested is not None
    for counts, scores in ((tested.confusion_before, tested.before), (tested.confusion_after, tested.after)):
        assert set(counts) == {"kind"}  # a text is no choice
        assert sum(sum(given.values()) for given in counts["kind"].values()) == len(scores)
        assert sum(counts["kind"][label].get(label, 0) for label in counts["kind"]) == sum(scores)
