"""Releases: who changes the same thing at once, what a crash leaves, and what is refused with which words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from agentsym.errors import ConflictError, StoreError, UsageError
from agentsym.network.network import Network
from agentsym.store import Store
from agentsym.store.live import releases as module
from agentsym.store.live.audit import Entry
from agentsym.store.live.lifecycle import LEGAL, OPEN, Deployment, Release
from tests.store.live.conftest import Race
from tests.store.live.versions import VERSIONS, version

BASE, CANDIDATE, THIRD, *_ = (each.version for each in VERSIONS)


def whole(store: Store) -> tuple[Any, ...]:
    """Everything that a change may touch, as it is stored."""
    return store.releases.deployments(), store.releases.releases("things"), store.audit.entries(most=1000)


def test_two_threads_that_promote_the_same_candidate_one_wins(store: Store, candidate: Release) -> None:
    together = Barrier(2)

    def promote(me: str) -> Deployment | str:
        together.wait()
        try:
            return store.releases.promote(candidate, expected=BASE, actor=me, reason=me)
        except ConflictError as error:
            return str(error)

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(promote, ["ann", "bob"]))
    won = [each for each in found if isinstance(each, Deployment)]
    lost = [each for each in found if isinstance(each, str)]
    assert len(won) == len(lost) == 1 and won[0].live == CANDIDATE
    assert "look again with `agentsym evolve status`" in lost[0]
    assert_promoted_once(store, ("ann", "bob"))


def test_two_processes_that_promote_the_same_candidate_one_wins(store: Store, candidate: Release, race: Race) -> None:
    said = race("promote", 2)
    assert sorted(each.split(":")[0] for each in said) == sorted([CANDIDATE, "conflict"])
    assert_promoted_once(store, ("process 0", "process 1"))


def assert_promoted_once(store: Store, actors: tuple[str, ...]) -> None:
    promoted = [entry for entry in store.audit.entries() if entry.event == "promoted"]
    assert len(promoted) == 1 and promoted[0].actor in actors
    live = store.releases.release("things", CANDIDATE)
    assert (live.state, live.reason) == ("live", promoted[0].actor)
    assert store.releases.release("things", BASE).state == "superseded"
    assert isinstance(store.audit.verify(), Entry)


def test_two_servers_that_begin_at_once_make_one_deployment(store: Store, race: Race) -> None:
    assert race("begin", 3) == [BASE] * 3
    assert [entry.event for entry in store.audit.entries()] == ["deployed"]
    assert [release.state for release in store.releases.releases("things")] == ["live"]


def test_beginning_again_leaves_a_deployment_as_it_stands(store: Store, candidate: Release) -> None:
    store.releases.promote(candidate, expected=BASE, actor="ann", reason="better")
    before = whole(store)
    assert store.releases.begin("things", VERSIONS[2], actor="bob").live == CANDIDATE
    assert whole(store) == before


CHANGES = {
    "begin": lambda store, _: store.releases.begin("new", VERSIONS[0], actor="x"),
    "take": lambda store, _: store.releases.take("things", VERSIONS[2], expected=BASE, actor="x"),
    "move": lambda store, it: store.releases.move(it, "canary", actor="x", reason="r", share=0.5),
    "reject": lambda store, it: store.releases.move(it, "rejected", actor="x", reason="r"),
    "promote": lambda store, it: store.releases.promote(it, expected=BASE, actor="x", reason="r"),
    "freeze": lambda store, _: store.releases.freeze("things", True, actor="x"),
    "token": lambda store, _: store.tokens.create("phone", ("invoke",), actor="x"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_without_its_entry_in_the_audit_log_is_none(
    store: Store, candidate: Release, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends, as it were, when the entry is to be written."""
    before = (*whole(store), store.tokens.all())

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    for place in ("agentsym.store.live.releases.append", "agentsym.store.live.tokens.append"):
        monkeypatch.setattr(place, dies)
    with pytest.raises(KeyboardInterrupt):
        CHANGES[change](store, candidate)
    monkeypatch.undo()
    assert (*whole(store), store.tokens.all()) == before
    CHANGES[change](store, candidate)
    assert len(store.audit.entries()) == len(before[2]) + 1


def test_an_entry_without_its_change_is_none_either(
    store: Store, candidate: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.append

    def dies(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    before = whole(store)
    monkeypatch.setattr(module, "append", dies)
    with pytest.raises(KeyboardInterrupt):
        store.releases.promote(candidate, expected=BASE, actor="x", reason="r")
    assert whole(store) == before


@pytest.mark.parametrize("state", ["rejected", "rolled_back"])
def test_what_was_refused_once_cannot_come_again(store: Store, candidate: Release, state: str) -> None:
    releases = store.releases
    if state == "rejected":
        releases.move(candidate, "rejected", actor="ann", reason="worse")
    else:
        releases.promote(candidate, expected=BASE, actor="ann", reason="better")
        releases.roll_back("things", expected=CANDIDATE, to=BASE, actor="ann", reason="worse")
    with pytest.raises(ConflictError, match=f"is known and {state}; it cannot come again"):
        releases.propose("things", VERSIONS[1], parent=BASE, actor="evolution")
    with pytest.raises(UsageError, match=f"which is {state} and cannot come again; change them"):
        releases.take("things", VERSIONS[1], expected=BASE, actor="ann")
    with pytest.raises(UsageError, match="one goes back to a version that was live before"):
        releases.roll_back("things", expected=BASE, to=CANDIDATE, actor="ann", reason="why not")
    refused = releases.release("things", CANDIDATE)
    for to in OPEN:
        with pytest.raises(UsageError, match=f"is {state}; it cannot become {to}"):
            releases.move(refused, to, actor="ann", reason="why not")
    with pytest.raises(UsageError, match=f"is {state}; it cannot become live"):
        releases.promote(refused, expected=BASE, actor="ann", reason="why not")
    assert releases.release("things", CANDIDATE).state == state and releases.release("things", BASE).state == "live"


def test_the_live_version_leaves_only_for_another_one(store: Store, candidate: Release) -> None:
    live = store.releases.release("things", BASE)
    for to in LEGAL["live"]:
        with pytest.raises(UsageError, match=f"is live; it cannot become {to}"):
            store.releases.move(live, to, actor="ann", reason="away")


def test_one_goes_back_to_an_earlier_version_by_rolling_back(store: Store, candidate: Release) -> None:
    store.releases.promote(candidate, expected=BASE, actor="ann", reason="better")
    earlier = store.releases.release("things", BASE)
    with pytest.raises(UsageError, match="one goes back to it with `agentsym evolve rollback --to`"):
        store.releases.promote(earlier, expected=CANDIDATE, actor="ann", reason="back")
    back = store.releases.roll_back("things", expected=CANDIDATE, to=BASE, actor="ann", reason="worse")
    assert back.live == BASE
    assert store.releases.release("things", CANDIDATE).reason == "worse"
    assert store.audit.entries(most=1)[0].data() == {"to": BASE, "reason": "worse"}


def test_there_is_one_open_candidate(store: Store, candidate: Release) -> None:
    with pytest.raises(ConflictError, match=rf"there is an open candidate already \({CANDIDATE[:12]}, shadow\)"):
        store.releases.propose("things", VERSIONS[2], parent=BASE, actor="evolution")
    with pytest.raises(ConflictError, match="is not live any more, so nothing is built on it"):
        store.releases.propose("things", VERSIONS[2], parent=CANDIDATE, actor="evolution")
    store.releases.begin("others", VERSIONS[0], actor="test")  # another deployment has its own
    made = store.releases.propose("others", VERSIONS[2], parent=BASE, actor="evolution", details={"run": "r"})
    assert (made.state, made.parent, made.details) == ("draft", BASE, {"run": "r"})


def test_details_add_up_on_the_way(store: Store, candidate: Release) -> None:
    held = store.releases.move(candidate, "held", actor="e", reason="few rows", details={"shadow": {"n": 3}})
    assert held.details == {"run": "r1", "shadow": {"n": 3}} and held.reason == "few rows"
    store.releases.promote(held, expected=BASE, actor="ann", reason="fine", details={"by": "hand"})
    found = store.releases.release("things", CANDIDATE)
    assert found.details.items() >= {"run": "r1", "shadow": {"n": 3}, "by": "hand"}.items()
    assert found.created == candidate.created and found.changed > held.changed > candidate.changed


def test_a_canary_is_pointed_at_and_let_go(store: Store, candidate: Release) -> None:
    canary = store.releases.move(candidate, "canary", actor="e", reason="better", share=0.2)
    found = store.releases.deployment("things")
    assert found is not None and (found.canary, found.share, found.live) == (CANDIDATE, 0.2, BASE)
    store.releases.move(canary, "rejected", actor="e", reason="worse")
    after = store.releases.deployment("things")
    assert after is not None and (after.canary, after.share) == (None, 0.0)
    assert after.generation == found.generation + 1


def test_a_canary_that_goes_live_is_no_canary_any_more(store: Store, candidate: Release) -> None:
    canary = store.releases.move(candidate, "canary", actor="e", reason="better", share=0.2)
    found = store.releases.promote(canary, expected=BASE, actor="e", reason="better")
    assert (found.live, found.canary, found.share) == (CANDIDATE, None, 0.0)


def test_versions_are_found_by_their_beginning(store: Store, candidate: Release) -> None:
    assert store.releases.release("things", CANDIDATE[:6]).version == CANDIDATE
    for short in (CANDIDATE[:5], "", "%", "______", CANDIDATE[:6] + "%"):
        with pytest.raises(UsageError, match="there is none that begins with"):
            store.releases.release("things", short)
    with pytest.raises(UsageError, match="deployment 'others': of its versions"):
        store.releases.release("others", CANDIDATE)
    with store._writer.begin() as connection:  # no two of a few versions begin alike by themselves
        row = connection.execute(module.releases.select().where(module.releases.c.version == BASE)).mappings().one()
        connection.execute(module.releases.insert().values({**row, "version": CANDIDATE[:10] + "0" * 54}))
    with pytest.raises(UsageError, match="several begin with"):
        store.releases.release("things", CANDIDATE[:10])


def test_the_content_of_a_version_comes_back(store: Store, candidate: Release) -> None:
    assert Network.model_validate(store.releases.content("things", CANDIDATE)).version == CANDIDATE
    with pytest.raises(StoreError, match=f"deployment 'things' has no version {THIRD[:12]}"):
        store.releases.content("things", THIRD)


def test_releases_come_the_newest_first_and_by_state(store: Store, candidate: Release) -> None:
    assert [release.version for release in store.releases.releases("things")] == [CANDIDATE, BASE]
    assert [release.version for release in store.releases.releases("things", "live", "held")] == [BASE]
    assert store.releases.releases("nothing") == ()


def test_what_is_not_deployed_cannot_be_changed(store: Store) -> None:
    assert store.releases.deployment("things") is None and store.releases.deployments() == ()
    for change in (
        lambda: store.releases.freeze("things", True, actor="ann"),
        lambda: store.releases.take("things", VERSIONS[0], expected=BASE, actor="ann"),
        lambda: store.releases.propose("things", VERSIONS[1], parent=BASE, actor="ann"),
    ):
        with pytest.raises(ConflictError):
            change()
    assert store.audit.entries() == () and store.releases.releases("things") == ()


@pytest.mark.parametrize("odd", ["nul \0", "half \ud83d", "\ufdd00000", "line\nbreak ' \" %"])
def test_no_character_in_a_reason_or_an_agent_fails_a_change(store: Store, odd: str) -> None:
    network = version(0).load_state_dict({**version(0).state_dict(), "sort/instructions": odd})
    name = f"things {odd}"
    store.releases.begin(name, version(0), actor=odd)
    made = store.releases.propose(name, network, parent=BASE, actor=odd, details={odd: odd})
    made = store.releases.move(made, "rejected", actor=odd, reason=odd)
    assert (made.reason, made.details) == (odd, {odd: odd})
    assert Network.model_validate(store.releases.content(name, network.version)) == network
    assert store.audit.entries(object_id=f"{name}@{network.version}")[0].actor == odd
    assert isinstance(store.audit.verify(), Entry)
