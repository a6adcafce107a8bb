"""What is remembered of a run: messages, steps, trajectories, losses and gradients.

They are plain values that every floor above may read, so they live on the ground floor.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field as Bounded

from agentsym.network.canonical import Frozen

Score = Annotated[float, Bounded(ge=0.0, le=1.0)]


class ToolCall(Frozen):
    """One call of a tool: by a tool node, or asked for by a model (then `id` is the model's)."""

    tool: str
    arguments: dict[str, Any] = {}
    id: str = ""
    result: Any = None
    error: str | None = None
    seconds: float = 0.0


class Message(Frozen):
    """One message of a chat: what a model is sent and what it answers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


class Usage(Frozen):
    """What model calls have cost: calls sent, tokens, US dollars (None = unknown price), seconds of waiting.

    `cached` counts the calls that were answered from the cache; they cost nothing and are not in `calls`. `estimated`
    says that some of the tokens are reckoned here, since the server did not count them or its answer was lost.
    """

    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            cached=self.cached + other.cached,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
            seconds=self.seconds + other.seconds,
            estimated=self.estimated or other.estimated,
        )


class Step(Frozen):
    """One visit of one node.

    Attributes:
        index: its place in the trajectory, by (super-step, node), so the same under every concurrency.
        node: the node's id; inside an agent node `outer/inner`.
        visit: 0 for the node's first visit.
        parents: indices of the steps whose output it read.
        control_parent: index of the step whose conditional edge chose it, if one did.
        inputs: field → value, as read.
        messages: exactly what a prompt node sent, all rounds.
        parameters: path → hash of the value of every parameter used.
        tool_calls: every tool call with its result.
        raw: the model's last answer as text.
        output: field → value, as written.
        route: the target that a conditional edge chose.
        error: what went wrong, if it did.
    """

    index: int
    node: str
    visit: int = 0
    parents: tuple[int, ...] = ()
    control_parent: int | None = None
    inputs: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()
    parameters: dict[str, str] = {}
    tool_calls: tuple[ToolCall, ...] = ()
    raw: str = ""
    output: dict[str, Any] = {}
    route: str | None = None
    usage: Usage = Usage()
    seconds: float = 0.0
    error: str | None = None


class Trajectory(Frozen):
    """One run of one example: the steps in order, the output, and the version that ran.

    `status` is `ok`, `error` (the failing step is the last one), `capped` (a cycle met its visit limit and
    had no way out) or `budget` (a cap stopped it). `worth` is what the run would cost anew, answers from the cache
    counted in full; it is not written down.
    """

    id: str
    version: str
    example_id: str = ""
    inputs: dict[str, Any] = {}
    steps: tuple[Step, ...] = ()
    output: dict[str, Any] = {}
    status: Literal["ok", "error", "capped", "budget"] = "ok"
    error: str | None = None
    usage: Usage = Usage()
    seconds: float = 0.0
    worth: Usage = Bounded(default=Usage(), exclude=True)


class LossReport(Frozen):
    """The language loss of one trajectory: a score in [0, 1], and what is wrong and was wanted as text.

    Attributes:
        score: 1 is perfect; several judge samples are averaged.
        text: the comments.
        requirement: what the steps that wrote the output should have achieved.
        satisfied: nothing is wrong.
        expected: the labeled fields of the row, where there are any.
        metrics: each metric's own value by name (a field's accuracy, F1 …).
        source: who gave the score.
        samples: the single scores of a judge that was asked several times.
        worth: what the run would cost anew; not written down.
    """

    example_id: str
    score: Score
    text: str = ""
    requirement: str = ""
    satisfied: bool = False
    expected: dict[str, Any] | None = None
    metrics: dict[str, float] = {}
    source: Literal["metric", "judge", "human"] = "metric"
    samples: tuple[Score, ...] = ()
    worth: Usage = Bounded(default=Usage(), exclude=True)


class Suggestion(Frozen):
    """Advice on one parameter, from 1 (minor) to 3 (decisive)."""

    parameter: str
    advice: str
    severity: Literal[1, 2, 3] = 2


class Gradient(Frozen):
    """What one backward call says of one step (paper, Eq. 2).

    Attributes:
        example_id: the row.
        step: the step's index.
        node: the step's node.
        analysis: what the step did wrong, or right.
        suggestions: advice on the node's learnable parameters.
        requirements: step index of a predecessor → what its output must achieve.
        satisfied: nothing to change here.
        status: `ok`; `skipped` (satisfied, no call was made); `invalid` (no legal answer, the requirement
            passed on).
        score: the loss of the trajectory.
        attempts: calls made.
    """

    example_id: str
    step: int
    node: str
    analysis: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    requirements: dict[int, str] = {}
    satisfied: bool = False
    status: Literal["ok", "skipped", "invalid"] = "ok"
    score: Score = 0.0
    attempts: int = 1
