"""Programs pass or fail by their tests in the sandbox alone, pass@k is unbiased, and a scripted run goes through."""

from __future__ import annotations

import json
import os
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsym.errors import SandboxError
from agentsym.learning.protocols import Row
from agentsym.learning.run import Tested as Comparison
from agentsym.runtime.sandbox.find import find_sandbox
from agentsym.runtime.sandbox.protocol import Limits
from evals.humaneval.__main__ import main
from evals.humaneval.agent import agent
from evals.humaneval.checking import counts
from evals.humaneval.programs import run, run_all, unfenced
from evals.humaneval.score import PassesTests, figures, pass_at_k
from evals.humaneval.scripted import expression, read
from evals.symbolic_learning.double import NOTE

NAME = "humaneval.jsonl"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "symbolic-learning"
DATA = Path(os.environ.get("AGENTSYM_PAPER_DATA") or SHARED) / NAME


def _sandbox() -> str:
    try:
        find_sandbox()
    except SandboxError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(_sandbox()), reason=f"programs run in a sandbox only: {_sandbox()}")
real = pytest.mark.skipif(
    not DATA.is_file(), reason="HumanEval is not part of the project; AGENTSYM_PAPER_DATA names it"
)


def problem(name: str, shown: str, body: str, test: str, argument: str = "x") -> dict[str, Any]:
    """Return a problem of our own in HumanEval's form."""
    return {
        "task_id": f"ours/{name}",
        "prompt": f'def {name}({argument}):\n    """Do what its name says.\n    >>> {name}({shown}\n    """\n',
        "entry_point": name,
        "canonical_solution": f"    return {body}\n",
        "test": f"def check(candidate):\n    assert {test}\n",
    }


OURS = (
    problem("longest", "[1, 5, 2])\n    5", "max(x)", "candidate([3, 9]) == 9"),
    problem("total", "[1, 2, 4])\n    7", "sum(x)", "candidate([2, 2]) == 4"),
    problem("backwards", "'ab')\n    'ba'", "x[::-1]", "candidate('xyz') == 'zyx'"),
    problem("ordered", "[3, 1, 2])\n    [1, 2, 3]", "sorted(x)", "candidate([2, 1]) == [1, 2]"),
    problem("shout", "'ab')\n    'AB'", "x.upper()", "candidate('x') == 'X'"),
    problem("size", "[7, 7, 7, 7, 7])\n    5", "len(x)", "candidate([]) == 0"),
)
DOUBLED = problem("doubled", "2)\n    4", "x * 2", "candidate(3) == 6")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    several = [
        {**each, "task_id": f"{each['task_id']}-{at}", "prompt": f"# number {at}\n{each['prompt']}"}
        for each in OURS
        for at in range(4)
    ]
    (tmp_path / NAME).write_text("".join(json.dumps(each) + "\n" for each in several), "utf-8")
    return tmp_path


@real
def test_all_canonical_solutions_pass_and_no_empty_body_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(DATA.parent), "--check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] >= 100
    passed = {name: found[name]["passed"] for name in ("canonical", "empty", "fenced")}
    assert passed == {"canonical": found["problems"], "empty": 0, "fenced": found["problems"]}


@real
async def test_a_fenced_answer_that_is_not_stripped_always_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()[:5]]
    fenced = [(each, f"```python\n{each['canonical_solution']}```") for each in problems]
    assert all(each.passed for each in await run_all(fenced))
    monkeypatch.setattr("evals.humaneval.programs.unfenced", lambda completion, _: completion)
    assert not any(each.passed for each in await run_all(fenced))


async def test_known_completions_of_problems_of_our_own() -> None:
    found = await counts(OURS)
    assert {name: each["passed"] for name, each in found.items()} == {"canonical": 6, "empty": 0, "fenced": 6}
    assert set(found["empty"]["failures"]) == {each["task_id"] for each in OURS}


def test_the_check_fails_where_a_canonical_solution_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {**DOUBLED, "canonical_solution": "    return x\n"}
    (tmp_path / NAME).write_text(json.dumps(wrong) + "\n", "utf-8")
    assert main(["--data", str(tmp_path), "--check"]) == 1
    printed = capsys.readouterr().out
    assert "canonical     0 of 1 pass" in printed and "ours/doubled: AssertionError" in printed


def test_the_check_fails_where_an_empty_body_passes(tmp_path: Path) -> None:
    weak = {**DOUBLED, "test": "def check(candidate):\n    pass\n"}
    (tmp_path / NAME).write_text(json.dumps(weak) + "\n", "utf-8")
    assert main(["--data", str(tmp_path), "--check"]) == 1


@pytest.mark.parametrize(
    "completion",
    [
        "    return x * 2\n",
        "def doubled(x):\n    return x + x\n",
        "```python\n    return x * 2\n```",
        "Sure:\n\n```py\ndef doubled(x):\n    return x * 2\n```\n\nAs it should be.",
        "For example:\n```sh\npip\n```\nand\n~~~\ndef doubled(x):\n    return x * 2\n~~~",
        "```\n    return x * 2\n",
    ],
    ids=["body", "whole", "fenced body", "fenced whole", "second block", "fence left open"],
)
async def test_what_passes(completion: str) -> None:
    assert await run(DOUBLED, completion) == (True, "")


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        ("    return x\n", "AssertionError"),
        ("    return (\n", "SyntaxError"),
        ("", "AssertionError"),
        ("Here it is: return x * 2", "SyntaxError"),
        ("    raise SystemExit(0)\n", "SystemExit"),
        ("    import os\n    os._exit(0)\n", "without an answer"),
        ("    while True: pass\n", "processor time"),
        ("    import time\n    time.sleep(60)\n", "longer than"),
        ("    return [0] * 10**10\n", "memory"),
        ("    import socket\n    socket.create_connection(('127.0.0.1', 1))\n", "Error"),
        ("    return open('/etc/passwd').read()\n", "Error"),
        ("    return x\ndef check(candidate): pass\n", "AssertionError"),
        ("    return x\ndef agentsym_verdict(): return 'passed'\n", "AssertionError"),
    ],
)
async def test_what_fails_says_why(completion: str, why: str) -> None:
    seconds = 3.0 if why == "longer than" else 30.0  # on a busy machine the clock may be first
    ran = await run(DOUBLED, completion, limits=Limits(cpu_s=1.0), timeout_s=seconds)
    assert not ran.passed and why in ran.why


async def test_programs_run_side_by_side() -> None:
    began = time.monotonic()
    ran = await run_all([(DOUBLED, "    import time\n    time.sleep(2)\n    return x * 2\n")] * 2)
    assert all(each.passed for each in ran) and time.monotonic() - began < 3.9


@given(st.text(alphabet="ab\n =()", max_size=40).filter(lambda text: not text.startswith("\n")))
def test_fencing_a_text_and_stripping_it_gives_it_back(code: str) -> None:
    assert unfenced(code, "f") == code
    assert unfenced(f"Look:\n```python\n{code}\n```\nDone.", "f") == f"{code}\n"


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_choices_with_a_right_one(of: tuple[int, int, int]) -> None:
    samples, passed, k = of
    choices = list(combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at_k(samples, passed, k) == pytest.approx(sum(map(any, choices)) / len(choices))


def test_pass_at_k_at_its_edges() -> None:
    assert pass_at_k(200, 3, 1) == pytest.approx(3 / 200)
    assert pass_at_k(10, 6, 5) == 1.0 and pass_at_k(10, 0, 10) == 0.0
    for wrong in ((5, 6, 1), (5, 2, 6), (5, 2, 0), (5, -1, 1)):
        with pytest.raises(ValueError, match="pass@"):
            pass_at_k(*wrong)


def test_the_figures_are_means_over_problems_for_every_k_that_the_samples_allow() -> None:
    tested = Comparison(rows="test", before=(0.0, 0.2), after=(1.0, 0.4))
    assert figures(tested, 5) == {"pass@1": (pytest.approx(10), pytest.approx(70)), "pass@5": (50, 100)}
    assert list(figures(Comparison(rows="test", before=(0.0,), after=(1.0,)), 1)) == ["pass@1"]


async def test_the_metric_scores_a_row_by_its_problem_and_tells_what_went_wrong() -> None:
    metric = PassesTests([DOUBLED, *OURS])
    row = Row(id="ours/doubled", inputs={"problem": DOUBLED["prompt"]})
    assert (await metric(row, {"code": "    return 2 * x"})).score == 1
    failed = await metric(row, {})
    assert failed.score == 0 and "assert candidate(3) == 6" in failed.text


def test_the_agent_has_the_papers_two_nodes() -> None:
    assert [node.id for node in agent.nodes] == ["write", "check"] and list(agent.outputs) == ["code"]


def test_the_double_finds_an_expression_by_the_examples_only() -> None:
    assert [expression(read(each["prompt"])) for each in OURS[:3]] == ["max(x)", "sum(x)", "x[::-1]"]
    assert expression(read('def f(x):\n    """No example."""\n')) is None
    assert expression(read("no Python at all (")) is None


def test_the_scripted_run_raises_pass_at_1_and_says_that_it_proves_the_plumbing_only(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--optimizer", "paper", "--samples", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["note"] == NOTE and document["rows"] == {"train": 10, "val": 5, "test": 9}
    assert document["figures"]["pass@1"] == {"before": 0, "after": pytest.approx(100)}
    assert any("examples in its docstring" in rule for rule in document["learned"]["rules"])
    assert any("no training split" in caveat for caveat in document["caveats"])
