"""Policy files: what is left out has the default, and what is wrong is named by its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentsym.deploy.policy import Allowed, Judge, Learning, Policy, Release, Shadow, Traces, load_policy
from agentsym.errors import UsageError

DEFAULTS = {
    "traces": {
        "sampling": 1.0, "redact": ("email", "phone", "card", "key"), "patterns": {}, "retention_days": 90.0,
    },
    "learning": {
        "metric": "exact", "optimizer": "symbolic", "steps": 10, "min_failures": 5, "window": 1000,
        "cool_down": 3600.0, "max_calls": 2000, "max_tokens": None, "max_usd": None, "repeats": 1, "seed": 0,
    },
    "allowed": {
        "structure": False, "code": False, "models": False, "urls": False, "growth": 1.0, "growth_from": 4000,
        "frozen": (),
    },
    "shadow": {
        "epsilon": 0.02, "delta": 0.01, "min_rows": 30, "max_rows": 300, "repeats": 1, "cost": 1.3, "latency": 1.3,
        "stubs": {}, "must_pass": None,
    },
    "release": {"approval": "small", "canary": 0.1, "canary_requests": 20, "canary_seconds": 604800.0},
    "judge": {"model": None, "rubric": "", "samples": 3, "share": 0.1, "min_agreement": 0.5, "anchors": 30},
}  # fmt: skip
"""What docs and this framework's tests of safety rest on: to learn little, and ask a person where rows are few."""


def load(folder: Path, text: str) -> Policy:
    file = folder / "policy.yaml"
    file.write_text(text, "utf-8")
    return load_policy(file)


def test_the_defaults_are_careful() -> None:
    assert Policy().model_dump() == DEFAULTS and load_policy(None) == Policy()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "null", "{}", "learning: {}\nshadow: {}"])
def test_a_file_that_says_nothing_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Policy()


def test_what_is_said_counts_and_the_rest_stays(tmp_path: Path) -> None:
    found = load(tmp_path, "allowed:\n  frozen: [triage/rules]\nrelease: {approval: always, canary: 0}\n")
    assert found == Policy(allowed=Allowed(frozen=("triage/rules",)), release=Release(approval="always", canary=0))


def test_a_policy_survives_being_written_and_read(tmp_path: Path) -> None:
    policy = Policy(
        traces=Traces(sampling=0.25, redact=(), patterns={"customer": r"C-\d+"}, retention_days=None),
        learning=Learning(metric=f"{tmp_path}/own.py:fn", max_usd=2.5, cool_down=0),
        allowed=Allowed(structure=True, frozen=("a", "b/c")),
        shadow=Shadow(stubs={"send": {"id": 1, "ok": [True, None]}}, must_pass=f"{tmp_path}/rows.jsonl"),
        judge=Judge(model="openai/x", rubric="be kind"),
    )
    assert load(tmp_path, yaml.safe_dump(policy.model_dump(mode="json"))) == policy


def test_files_are_looked_for_beside_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    found = load(folder, "learning: {metric: 'own.py:fn'}\nshadow: {must_pass: rows/must.jsonl}")
    assert (found.learning.metric, found.shadow.must_pass) == (f"{folder}/own.py:fn", f"{folder}/rows/must.jsonl")
    assert load(folder, "learning: {metric: f1}").learning.metric == "f1"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("learnig: {}", ["learnig: Extra inputs"]),
        ("learning: {step: 3}", ["learning.step: Extra inputs"]),
        ("allowed: {url: true}\nshadow: {min: 3}", ["allowed.url: ", "shadow.min: "]),
        ("allowed: {structure: 2}", ["allowed.structure: "]),
        ("traces: {redact: [email, names]}", ["traces.redact.1: "]),
        ("release: {approval: sometimes}", ["release.approval: "]),
        ("learning: [1]", ["learning: "]),
        ("1: {}", ["1: "]),
        ("shadow: {delta: small}", ["shadow.delta: "]),
        ("learning: {steps: 1.5}", ["learning.steps: "]),
        ("allowed: {frozen: triage}", ["allowed.frozen: "]),
    ],
)
def test_what_is_wrong_is_named_by_its_place(tmp_path: Path, text: str, places: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    lines = str(refused.value).splitlines()
    assert lines[0] == f"{tmp_path / 'policy.yaml'} is no policy:" and len(lines) == 1 + len(places)
    assert all(line.startswith(f"  - {place}") for line, place in zip(lines[1:], places, strict=True))


@pytest.mark.parametrize("text", ["[]", "- learning", "learning", "false", "0", "3.5"])
def test_what_has_no_sections_is_no_policy(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="a policy has sections: traces, learning, allowed, shadow, release, judge"):
        load(tmp_path, text)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "!!python/object/apply:os.system ['true']", "a: *b"])
def test_what_is_no_yaml_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path / 'policy.yaml'}: the policy cannot be read")):
        load(tmp_path, text)


@pytest.mark.parametrize("text", ["allowed: {}\nshadow: {}\nallowed: {}", "learning: {steps: 1, steps: 2}"])
def test_what_is_said_twice_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"policy.yaml: the policy cannot be read: (allowed|steps) stands twice"):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(UsageError, match=re.escape(f"{file}: the policy cannot be read")):
            load_policy(file)


EDGES: list[tuple[str, list[Any], list[Any]]] = [
    ("traces.sampling", [0, 1, 0.5], [-0.01, 1.01, float("nan")]),
    ("traces.retention_days", [None, 0.001, 36_500], [0, -1, 36_501, float("inf"), float("nan")]),
    ("learning.steps", [1], [0, -1]),
    ("learning.min_failures", [1], [0]),
    ("learning.window", [10], [9]),
    ("learning.cool_down", [0, float("inf")], [-1]),
    ("learning.max_calls", [None, 1], [0]),
    ("learning.max_tokens", [None, 1], [0]),
    ("learning.max_usd", [None, 0.01], [0, -1]),
    ("learning.repeats", [1], [0]),
    ("learning.seed", [-1, 0], ["x"]),
    ("allowed.growth", [0, float("inf")], [-0.1]),
    ("allowed.growth_from", [0], [-1]),
    ("shadow.epsilon", [0, 1], [-0.01, 1.01]),
    ("shadow.delta", [0, 1], [-0.01, 1.01]),
    ("shadow.min_rows", [2], [1]),
    ("shadow.max_rows", [2], [1]),
    ("shadow.repeats", [1], [0]),
    ("shadow.cost", [0.1, float("inf")], [0, -1]),
    ("shadow.latency", [0.1], [0]),
    ("release.canary", [0, 1], [-0.1, 1.1]),
    ("release.canary_requests", [1], [0]),
    ("release.canary_seconds", [0.1], [0]),
    ("judge.samples", [1], [0]),
    ("judge.share", [0, 1], [-0.1, 1.1]),
    ("judge.min_agreement", [-1, 1], [-1.1, 1.1]),
    ("judge.anchors", [5], [4]),
]


@pytest.mark.parametrize(("place", "good", "bad"), EDGES, ids=[place for place, _, _ in EDGES])
def test_every_range_holds_at_its_edges(tmp_path: Path, place: str, good: list[Any], bad: list[Any]) -> None:
    section, name = place.split(".")
    for value in good:
        found = load(tmp_path, yaml.safe_dump({section: {name: value}}))
        assert getattr(getattr(found, section), name) == value
    for value in bad:
        with pytest.raises(UsageError, match=f"- {place}: "):
            load(tmp_path, yaml.safe_dump({section: {name: value}}))
