"""`Policy`: what a deployed agent keeps of its requests, what may be learned from them, and who lets it go live.

It is one YAML file that an operator writes; whatever is left out has a careful default.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from agentsym.errors import UsageError
from agentsym.network.canonical import Frozen

Detector = Literal["email", "phone", "card", "key"]


class Traces(Frozen):
    """What is kept of requests.

    Attributes:
        sampling: the share of requests whose inputs, steps and outputs are kept, in [0, 1]; those that fail always are.
        redact: what is replaced before anything is written.
        patterns: more of that: name → regular expression; the name stands in its place.
        retention_days: when traces and their feedback are dropped; None never.
    """

    sampling: float = Field(default=1.0, ge=0.0, le=1.0)
    redact: tuple[Detector, ...] = ("email", "phone", "card", "key")
    patterns: dict[str, str] = {}
    retention_days: float | None = Field(default=90.0, gt=0.0, le=36_500.0)


class Learning(Frozen):
    """How candidates are learned.

    Attributes:
        metric: what compares an output with a label: `exact`, `f1` or `file.py:fn`.
        optimizer: as for `agentsym optimize`.
        steps: most steps of a run.
        min_failures: failures that must be new since the last run, before another one is begun.
        window: the newest traces with feedback that are looked at.
        cool_down: seconds between a promotion, or a candidate that came to nothing, and the next run.
        max_calls: cap on model calls of a run.
        max_tokens: cap on tokens of a run.
        max_usd: cap on US dollars of a run.
        repeats: runs of a pair at most; about 5 for students whose answers vary.
        seed: seeds the run and the shadow evaluation.
    """

    metric: str = "exact"
    optimizer: str = "symbolic"
    steps: int = Field(default=10, ge=1)
    min_failures: int = Field(default=5, ge=1)
    window: int = Field(default=1000, ge=10)
    cool_down: float = Field(default=3600.0, ge=0.0)
    max_calls: int | None = Field(default=2000, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_usd: float | None = Field(default=None, gt=0.0)
    repeats: int = Field(default=1, ge=1)
    seed: int = 0


class Allowed(Frozen):
    """What a candidate may change. The check is made by code on the candidate itself, whatever any text asks for.

    Attributes:
        structure: nodes, edges and which tools a prompt may call.
        code: code of tools, and new tools. What a tool or node of the user's own runs can never be changed.
        models: models of nodes, and other options.
        urls: addresses that the version before does not hold.
        growth: by what share the learned texts may grow, over at least `growth_from` characters; worked examples do
            not count, as the agent's own `max_per_label` says how many there may be.
        growth_from: characters that are free.
        frozen: paths of parameters that stay as they are, with everything below them.
    """

    structure: bool = False
    code: bool = False
    models: bool = False
    urls: bool = False
    growth: float = Field(default=1.0, ge=0.0)
    growth_from: int = Field(default=4000, ge=0)
    frozen: tuple[str, ...] = ()


class Shadow(Frozen):
    """When a candidate counts as better, on rows that it has not learned from (both versions run them anew).

    Attributes:
        epsilon: the lower end of the gain's 95 % interval may be so much below 0.
        delta: the mean gain that is asked for.
        min_rows: rows below which a person decides.
        max_rows: the newest rows of replay that are run.
        repeats: runs of each row.
        cost: the largest ratio of the two versions' tokens.
        latency: the largest ratio of the 95th percentiles of their times, over 50 ms.
        stubs: tool → what it returns instead of writing, where a trace does not hold what it returned.
        must_pass: a file of rows on which no version may go from pass to fail, besides a tenth of the traces.
    """

    epsilon: float = Field(default=0.02, ge=0.0, le=1.0)
    delta: float = Field(default=0.01, ge=0.0, le=1.0)
    min_rows: int = Field(default=30, ge=2)
    max_rows: int = Field(default=300, ge=2)
    repeats: int = Field(default=1, ge=1)
    cost: float = Field(default=1.3, gt=0.0)
    latency: float = Field(default=1.3, gt=0.0)
    stubs: dict[str, Any] = {}
    must_pass: str | None = None


class Release(Frozen):
    """How a better candidate goes live.

    Attributes:
        approval: `small` asks a person where there were too few rows, `always` asks one each time, `never` lets
            candidates with too few rows wait for more.
        canary: the share of the threads that it answers first; 0 for none.
        canary_requests: judged requests of the canary before it goes live.
        canary_seconds: when a canary that nobody judges is given up.
    """

    approval: Literal["small", "always", "never"] = "small"
    canary: float = Field(default=0.1, ge=0.0, le=1.0)
    canary_requests: int = Field(default=20, ge=1)
    canary_seconds: float = Field(default=7 * 86400.0, gt=0.0)


class Judge(Frozen):
    """A model that scores a share of the traces that nobody else has judged.

    Attributes:
        model: the model string; None for no judge. It must not be the model that writes the edits.
        rubric: what it is told to look for.
        samples: how often it is asked about one trace.
        share: the share of the traces that it scores.
        min_agreement: the rank correlation with labels, below which nothing is promoted on its word.
        anchors: labelled traces that it is held against.
    """

    model: str | None = None
    rubric: str = ""
    samples: int = Field(default=3, ge=1)
    share: float = Field(default=0.1, ge=0.0, le=1.0)
    min_agreement: float = Field(default=0.5, ge=-1.0, le=1.0)
    anchors: int = Field(default=30, ge=5)


class Policy(Frozen):
    """All of it; each part is a section of the YAML file."""

    traces: Traces = Traces()
    learning: Learning = Learning()
    allowed: Allowed = Allowed()
    shadow: Shadow = Shadow()
    release: Release = Release()
    judge: Judge = Judge()


def load_policy(file: Path | None) -> Policy:
    """Read a policy; None gives the default one. Files that it names are relative to its folder.

    Raises:
        UsageError: the file cannot be read, or something in it is unknown or out of range; names each place.
    """
    if file is None:
        return Policy()
    import yaml

    class Strict(yaml.SafeLoader):
        """Refuses a key that stands twice, of which YAML would silently take the second."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            if twice := [key for place, key in enumerate(keys) if key in keys[:place]]:
                raise yaml.YAMLError(f"{twice[0]} stands twice, again in line {node.start_mark.line + 1} or below")
            return dict(super().construct_mapping(node, deep=deep))

    try:
        plain = yaml.load(file.read_text("utf-8"), Strict)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: the policy cannot be read: {error}") from error
    return _found_from(file.absolute().parent, checked_policy({} if plain is None else plain, str(file)))


def _found_from(folder: Path, policy: Policy) -> Policy:
    """Return a policy whose files are found from any working directory: they are relative to its own folder."""
    file, colon, name = policy.learning.metric.rpartition(":")
    metric = f"{folder / file}:{name}" if colon and file.endswith(".py") else policy.learning.metric
    rows = policy.shadow.must_pass
    return policy.model_copy(
        update={
            "learning": policy.learning.model_copy(update={"metric": metric}),
            "shadow": policy.shadow.model_copy(update={"must_pass": rows and str(folder / rows)}),
        }
    )


def checked_policy(plain: Any, where: str) -> Policy:
    """Make a policy from plain values; raises UsageError that names each wrong place."""
    if not isinstance(plain, Mapping):
        raise UsageError(f"{where}: a policy has sections: {', '.join(Policy.model_fields)}")
    try:
        return Policy.model_validate(plain)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise UsageError("\n".join([f"{where} is no policy:", *(f"  - {line}" for line in wrong)])) from error
