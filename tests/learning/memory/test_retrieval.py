"""A later run is told what helped in like situations and what did harm, and of nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsym import Agent
from agentsym.learning.memory import retrieval
from agentsym.learning.memory.lesson import Lesson, Situation
from agentsym.learning.memory.retrieval import FAILED, HELPED, Memory, recalled
from agentsym.learning.protocols import Repair
from agentsym.learning.recording import record_to
from agentsym.learning.teacher.trace import mend_form, mend_messages
from agentsym.learning.trainer import Trainer
from agentsym.network.edits import Edit
from agentsym.store.comparable import comparable
from agentsym.store.store import Store
from tests.learning.memory.test_lesson import lesson
from tests.learning.symbolic.world import TRAIN, VAL, WORLD, Tracing, World, agent, mind, opened, prompt, rows, trainer

HARM = World(needs={"a": ("read",), "b": ("sort",)}, harm={mind("b"): ("free",)})


def asked(learning: Trainer[Agent]) -> list[Repair]:
    teacher = learning.parts.teacher
    assert isinstance(teacher, Tracing)
    return teacher.repairs


def requested(repair: Repair) -> str:
    """Return the request that a language model would get."""
    form = mend_form(repair, student="")
    assert form is not None
    return "\n".join(message.content for message in mend_messages(repair, form))


def second(store: Store, world: World = WORLD, **more: Any) -> Trainer[Agent]:
    """Return the trainer of a run whose rows no earlier run had."""
    return trainer(store, world, more.pop("train", rows(["a", "b", "free"], "n")), **more)


def test_the_second_run_is_told_what_helped_in_the_first(store: Store) -> None:
    first = trainer(store, WORLD, TRAIN, val=VAL)
    first.fit()
    assert not any(repair.helped or repair.failed for repair in asked(first))
    later = second(store)
    later.fit()
    told = {repair.node: repair.helped for repair in asked(later)}
    assert told["read"][0].startswith(f"add_rule: {mind('a')} (")
    assert all("credit +1" in line and "advantage" in line for line in told["read"])


def test_what_did_harm_is_marked_as_such(store: Store) -> None:
    trainer(store, HARM, rows(["free", "a", "b"]), steps=1).fit()
    later = second(store, HARM)
    later.fit()
    for repair in asked(later):
        assert not any(mind("b") in line for line in repair.helped)
    (line,) = next(repair.failed for repair in asked(later) if repair.node == "sort")
    assert line.startswith(f"add_rule: {mind('b')} (it broke what was right, advantage -")


def test_an_agent_of_another_trade_is_told_nothing(store: Store) -> None:
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    poet = prompt("rhyme", ["verse"], "couplet").model_copy(update={"description": "Finds a word that rhymes."})
    assert recalled(store, Agent("poems", [poet]), {}) == ()
    assert recalled(store, agent(), {})


def test_doing_a_run_again_gives_the_same_run(store: Store) -> None:
    journals = [list(comparable(store.events(trainer(store, WORLD, TRAIN, val=VAL).fit().id))) for _ in range(2)]
    assert journals[0] == journals[1]


def test_equal_stores_and_seeds_give_equal_journals(tmp_path: Path) -> None:
    journals = []
    for name in ("one", "two"):
        with opened(tmp_path, name) as store:
            trainer(store, WORLD, TRAIN, val=VAL).fit()
            run = second(store).fit()
            journals.append(list(comparable(store.events(run.id))))
    assert journals[0] == journals[1] and journals[0][0]["data"]["lessons"]


class Dying(Tracing):
    """Does not live to see its second answer."""

    async def mend(self, repair: Repair) -> Sequence[Edit]:
        if self.repairs:
            raise RuntimeError("dead")
        return await super().mend(repair)


def test_a_resumed_run_is_told_what_it_was_told_before_it_was_stopped(store: Store) -> None:
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    dying = second(store, teacher=Dying(WORLD), steps=2)
    with pytest.raises(RuntimeError, match="dead"):
        dying.fit()
    run = store.run("last").id
    trainer(store, HARM, rows(["free", "a", "b", "free"]), steps=1).fit()  # the store knows more by now
    resumed = second(store, steps=2)
    resumed.fit(resume=run)
    first = asked(dying)[0]
    again = next(repair for repair in asked(resumed) if repair.node == first.node)
    assert (again.helped, again.failed) == (first.helped, first.failed) and first.helped and not first.failed


def test_switched_off_nothing_is_told_and_nothing_is_written(store: Store) -> None:
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    later = second(store, memory=False)
    run = later.fit()
    assert not any(repair.helped or repair.failed for repair in asked(later))
    assert "lessons" not in next(store.events(run.id)).data


def test_switched_off_the_requests_are_those_of_a_fresh_store(store: Store, tmp_path: Path) -> None:
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    with opened(tmp_path, "fresh") as fresh:
        alone, off = second(fresh), second(store, memory=False)
        alone.fit()
        off.fit()
    assert [requested(repair) for repair in asked(alone)] == [requested(repair) for repair in asked(off)]


def test_the_screen_says_that_earlier_runs_are_shown_to_the_teacher(store: Store) -> None:
    said: list[str] = []
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    second(store, watch=lambda kind, data: said.append(data["text"]) if kind == "notice" else None).fit()
    assert any("the teacher is shown what helped in 1 earlier run of this store" in text for text in said)


def test_a_forgotten_run_and_one_under_way_teach_nothing(store: Store) -> None:
    run = trainer(store, WORLD, TRAIN, val=VAL).fit()
    assert recalled(store, agent(), {})
    store.append(run.id, "resume", {})
    assert recalled(store, agent(), {}) == ()
    store.append(run.id, "stop", {"status": "done"})
    assert recalled(store, agent(), {})
    store.append(run.id, "forget", {})
    assert recalled(store, agent(), {}) == ()


def test_what_is_recorded_does_not_depend_on_the_store(store: Store, tmp_path: Path) -> None:
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    recording = second(store, recorder=record_to(tmp_path / "recording"))
    run = recording.fit()
    assert "lessons" not in next(store.events(run.id)).data
    assert not any(repair.helped for repair in asked(recording))


def test_no_key_gets_into_a_later_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "mind a")
    assert len("mind a") < 8, "too short to be taken for one"
    monkeypatch.setenv("OTHER_API_KEY", "read does not know a")
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    lessons = recalled(store, agent(), {})
    assert lessons and not any("read does not know a" in x.model_dump_json() for x in lessons)
    assert any("[secret]" in x.situation.fault for x in lessons)


# --- what is chosen for one node


def repair(*texts: str, fault: str = "It was wrong.", rules: Sequence[str] = (), **more: Any) -> Repair:
    network = agent(read=rules)
    evidence = tuple(_evidence(text) for text in texts)
    values = {"paths": ("read/rules",), "critiques": (fault,) * len(texts), "evidence": evidence, **more}
    return Repair(network=network, node="read", **values)


def _evidence(text: str) -> Any:
    from agentsym.learning.protocols import Evidence, Row
    from agentsym.network.records import LossReport, Step, Trajectory

    step = Step(index=0, node="read", inputs={"ticket": text})
    return Evidence(
        row=Row(id=text, inputs={"ticket": text}),
        trajectory=Trajectory(id="t", version="v", example_id=text, steps=(step,)),
        loss=LossReport(example_id=text, score=0.0, text="wrong"),
    )


READS = Situation(task="Read it. (ticket → fact)", kind="rules", fault="Wrong.")
DOZEN, HOUR = "add_rule: Treat a dozen as twelve.", "add_rule: Treat an hour as sixty minutes."


def told(lessons: Sequence[Lesson], task: Repair) -> list[str]:
    reminded = Memory(lessons).remind(task)
    return [line.partition(" (")[0] for line in (*reminded.helped, *reminded.failed)]


def test_an_edit_that_speaks_of_what_fails_comes_first() -> None:
    known = [lesson(HOUR, situation=READS), lesson(DOZEN, situation=READS)]
    assert told(known, repair("He bakes 3 dozen rolls and 5 buns."))[0] == DOZEN
    assert told(known, repair("They walked for 3 hours."))[0] == HOUR


def test_an_edit_that_did_worse_than_its_rivals_is_worth_no_more_for_that() -> None:
    plain = lesson("add_rule: Sing tickets.", situation=READS, advantage=0.0)
    worse = lesson("add_rule: Ring tickets.", situation=READS, advantage=-1.0)
    assert told([plain, worse], repair("everything"))[0] == plain.edit


def test_of_equally_fitting_edits_the_one_with_the_greater_advantage_comes_first() -> None:
    weak, strong = (
        lesson(f"add_rule: {name} tickets.", situation=READS, advantage=a) for name, a in (("Sing", 0.1), ("Ring", 0.9))
    )
    assert told([weak, strong], repair("hello"))[0] == strong.edit


def test_only_lessons_of_the_parameters_that_can_be_edited_are_told() -> None:
    text = lesson("set_text: Read it twice.", situation=READS.model_copy(update={"kind": "text"}))
    assert told([text], repair("x")) == []
    assert told([text], repair("x", paths=("read/instructions",))) == [text.edit]


def test_what_stands_there_already_or_was_tried_here_is_not_told() -> None:
    known = [lesson(DOZEN, situation=READS)]
    assert told(known, repair("3 dozen")) == [DOZEN]
    assert told(known, repair("3 dozen", rules=["Treat a dozen as twelve."])) == []
    assert told(known, repair("3 dozen", tried=("add_rule read/rules: Treat a dozen as twelve. (in vain)",))) == []


def test_of_edits_that_say_the_same_one_is_told() -> None:
    known = [lesson(f"add_rule: Treat {one} dozen as twelve.", situation=READS) for one in ("a", "one", "each")]
    assert len(told(known, repair("3 dozen"))) == 1


def test_what_is_told_is_bounded() -> None:
    words = ("apple", "brick", "cloud", "drum", "eagle", "flute", "grape", "horn", "igloo", "jewel", "kite", "lemon")
    many = [lesson(f"add_rule: {word.capitalize()} {word * 20}.", situation=READS) for word in words]
    bad = [lesson(f"{x.edit} {x.edit}", situation=READS, fate="harmful", credit=0.0, advantage=-1.0) for x in many]
    reminded = Memory([*many, *bad]).remind(repair("everything"))
    assert len(reminded.helped) == HELPED and len(reminded.failed) == FAILED
    assert sum(map(len, (*reminded.helped, *reminded.failed))) < 6 * 300


def test_a_run_takes_a_bounded_number_along(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ["ant", "bee", "cow", "dog", "elk", "fox", "gnu"]
    world = World(needs=dict.fromkeys(kinds, ("read",)))
    trainer(store, world, rows(kinds), steps=3).fit()
    assert len(recalled(store, agent(), {})) == len(kinds)
    monkeypatch.setattr(retrieval, "POOL", 5)
    assert len(recalled(store, agent(), {})) == 5


def test_what_was_learned_from_a_row_that_is_held_out_now_is_not_told(store: Store) -> None:
    """Else a run would be better on the rows that it decides by for having learned from them before."""
    trainer(store, WORLD, TRAIN, val=VAL).fit()
    held_out = {row.id for row in TRAIN}
    assert recalled(store, agent(), {}) and not recalled(store, agent(), {}, held_out)
    later = second(store, test=TRAIN)
    later.fit()
    assert asked(later) and not any(repair.helped or repair.failed for repair in asked(later))
