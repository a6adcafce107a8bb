"""Hostile learned code: no attack has an effect outside, each ends cleanly, and the next call is as good as ever."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.runtime.sandbox.attacks import ON_OTHERS, Attack
from tests.runtime.sandbox.suite import KINDS, attacks, outcomes, public_interpreter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these levels of the sandbox need Linux")


def combinations() -> Iterator[object]:
    """Each attack on each kind of sandbox, started by this user; and on both levels started by nobody."""
    for kind in KINDS:
        for user in ("this user", "nobody"):
            if user == "nobody" and "without" in kind:
                continue
            for attack in attacks(kind) if user == "this user" else ON_OTHERS:
                group = pytest.mark.xdist_group(f"attacks {kind} {user}")
                yield pytest.param(kind, user, attack, marks=group, id=f"{kind}-{user}-{attack.name}")


@pytest.mark.parametrize(("kind", "user", "attack"), list(combinations()))
def test_an_attack_has_no_effect(kind: str, user: str, attack: Attack) -> None:
    if kind.startswith("bubblewrap") and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    if user == "nobody" and os.geteuid() != 0:
        pytest.skip("only root can become nobody, and the sandbox of this user is tried anyway")
    if user == "nobody" and public_interpreter() is None:
        pytest.skip("there is no interpreter of this version that nobody may run")
    outcome = outcomes(kind, user)[attack.name]
    assert outcome.harm == []
    assert outcome.ends == attack.ends, outcome.message or outcome.answer
    if not attack.ends and kind != "bubblewrap without Landlock":  # where there are folders to list, but not the host's
        assert attack.good(outcome.answer), outcome.answer
    assert outcome.after == [8, 4, 3, [], True]
