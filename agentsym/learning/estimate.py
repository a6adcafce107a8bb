"""How many model calls a run will make at most, and about how many tokens, before the first one is paid for.

The calls follow the cost model of symbolic learning; a run of a chain meets it exactly where every row is run in every
step, without retries and tool calls, and stays below it where rows are remembered or failures are grouped.
The tokens are a guess from the prompts as they are now: they grow while the agent learns, and nobody knows how long
replies will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path

from agentsym.learning.backward import learnable_at
from agentsym.learning.gate import Rows
from agentsym.learning.optimizers.limits import moves_allowed, parameters_allowed
from agentsym.learning.optimizers.tool import choosing
from agentsym.learning.protocols import Row
from agentsym.learning.settings import Settings
from agentsym.learning.symbolic.recipe import Recipe
from agentsym.learning.teacher.trace import BLAMED_AT_ONCE
from agentsym.models.protocol import Phase
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, PromptNode
from agentsym.network.parameters import Choices, Examples, Option, Rules, Text
from agentsym.network.prompt import Prompt
from agentsym.network.records import Usage
from agentsym.network.template import variables

STUDENT, TEACHER = "student", "teacher"
CHARS = 4  # in a token, as is usual for English
STUDENT_REPLY, TEACHER_REPLY = 50, 400  # tokens, assumed
FIX_RUNS = 4  # of a failure with edits: with all of them, with its own, without what rides along, with what is kept
HOLD_RUNS = 3  # of a row that must hold: once, and where it breaks until it is known by which edit
SAMPLE = 50  # rows whose prompts are rendered


def estimate_calls(
    network: Network,
    rows: Mapping[str, int],
    batch: int,
    settings: Settings,
    *,
    lr: float,
    looks_at: frozenset[Rows],
    teacher_asks: bool,
    judged: bool,
) -> dict[Phase, int]:
    """Return phase → model calls, if every step is done, every component gets suggestions and nothing is cached.

    With n prompt nodes, B rows a step, c learnable components, k samples, and p = 1 where the teacher scores (else 0),
    a step costs: forward nB, loss B, backward one call for each row and node that can still improve something, updates
    ⌈lr c⌉, one for each node whose tools can be changed and one for a pipeline that can (what is then decided to do to
    a tool is one more), gate k(n + p) for each row that it looks at. Once a run, the gate's held-out rows (`gate`) and
    twice the test rows (`test`) are scored; where cost or time is preferred, the first and the best version and each
    other value of each learnable option are scored, too (`gate`). Retries and tool calls come on top; runs that the
    metric finds perfect (no loss is asked for), conditional edges, and rows that a teacher who reads all of them
    remembers (`Recall`) take off.

    Args:
        network: the agent.
        rows: rows of `train`, `val`, `test` and `must_pass`.
        batch: rows a step.
        settings: of the run.
        lr: the learning rate it begins with.
        looks_at: what the gate looks at.
        teacher_asks: whether the teacher is a language model; the embedded one makes no calls.
        judged: whether the teacher gives the scores.
    """
    nodes = sum(1 for _ in _prompt_nodes(network))
    once = settings.samples * (nodes + judged)
    held_out = sum(rows.get(name, 0) for name in ("val", "must_pass") if name in looks_at)
    tried = held_out + (batch if "batch" in looks_at else 0)
    rescored = 1 + (settings.rescore_base or settings.samples > 1)
    comments = teacher_asks and (judged or settings.comments == "teacher")
    asked = parameters_allowed(_components(network), lr) + len(choosing(network)) + may_move(network, lr)
    return {
        "forward": settings.steps * batch * nodes,
        "loss": settings.steps * batch * comments,
        "backward": settings.steps * batch * _reached(network) * teacher_asks,
        "optimizer": settings.steps * asked * teacher_asks,
        "gate": once
        * (held_out + settings.steps * rescored * tried + _choosing_rows(network, rows, settings, looks_at)),
        "test": 2 * once * (rows.get("test", 0) or rows.get("val", 0)),
    }


def estimate_symbolic_calls(
    network: Network,
    rows: Mapping[str, int],
    batch: int,
    settings: Settings,
    recipe: Recipe,
    *,
    looks_at: frozenset[Rows],
    judged: bool,
) -> dict[Phase, int]:
    """Return phase → model calls of the combined algorithm, if every step has as many failures as it can answer.

    With n prompt nodes, B rows, P failures and G rows that must hold, a step costs: forward nB, backward a call for a
    few failures (with blame node by node P for each node that can still improve something), optimizer P for each node
    that can be mended and the drafts of a pipeline that can, gate one validation, nP `FIX_RUNS` and nG `HOLD_RUNS`.
    Known failures (they are run in the place of a batch), cached answers, and validations that are put off or broken
    off take off; most runs need far less. Only edits that do harm can take more, since they have to be found.

    Args:
        network: the agent.
        rows: rows of `train`, `val`, `test` and `must_pass`.
        batch: rows that are looked at at once.
        settings: of the run.
        recipe: of the algorithm.
        looks_at: what the gate looks at.
        judged: whether the teacher gives the scores.
    """
    nodes = sum(1 for _ in _prompt_nodes(network))
    run, held_out = nodes + judged, sum(rows.get(name, 0) for name in ("val", "must_pass") if name in looks_at)
    failures = min(recipe.groups, batch)
    mended = sum(bool(learnable_at(network, node.id)) for node in network.nodes)
    asked = {"trajectory": 1 / BLAMED_AT_ONCE, "shuffled": 1 / BLAMED_AT_ONCE, "nodes": _reached(network)}
    answers = mended * (failures if recipe.per == "group" else 1) + recipe.drafts * network.structure.learnable
    tried = FIX_RUNS * failures * recipe.fix + HOLD_RUNS * recipe.regression
    validated = settings.samples * held_out * (1 + settings.steps)
    validated += settings.samples * _choosing_rows(network, rows, settings, looks_at)
    return {
        "forward": settings.steps * batch * nodes,
        "loss": settings.steps * batch * judged,
        "backward": settings.steps * ceil(failures * asked.get(recipe.blame, 0)),
        "optimizer": settings.steps * answers,
        "gate": run * (validated + settings.steps * tried * (2 * settings.repeats - 1)),
        "test": 2 * settings.samples * run * (rows.get("test", 0) or rows.get("val", 0)),
    }


def estimate_usage(
    network: Network, rows: Sequence[Row], batch: int, calls: Mapping[Phase, int], *, judged: bool, combined: bool
) -> dict[tuple[str, Phase], Usage]:
    """Return (who, phase) → calls and tokens; who is `STUDENT`, `TEACHER`, or the model that a node names itself.

    A token is taken for `CHARS` characters of the prompts as they are rendered for some of the rows; the replies are
    assumed to be `STUDENT_REPLY` and `TEACHER_REPLY` tokens long.

    Args:
        network: the agent.
        rows: rows of train.
        batch: rows a step.
        calls: what `estimate_calls` or `estimate_symbolic_calls` returned.
        judged: whether the teacher gives the scores.
        combined: whether it is the combined algorithm, whose requests of the teacher are shorter.
    """
    nodes = list(_prompt_nodes(network))
    prompts = [_prompt_chars(node, rows[:SAMPLE]) for node in nodes]
    run = sum(prompts) + len(nodes) * STUDENT_REPLY * CHARS  # what the teacher reads of one example
    each = sum(prompts) / max(1, len(prompts))
    read = {"loss": _template("loss") + run}
    if combined:
        read |= {
            "backward": _template("blame_runs") + BLAMED_AT_ONCE * run + sum(prompts),
            "optimizer": _template("mend") + 2 * each,
        }
    else:
        said = batch * TEACHER_REPLY * CHARS
        read |= {"backward": _template("gradient") + run, "optimizer": _template("update") + sum(prompts) + said}
    found: dict[tuple[str, Phase], Usage] = {}

    def add(who: str, phase: Phase, times: float, chars: float, reply: int) -> None:
        usage = Usage(
            calls=round(times), prompt_tokens=round(times * chars / CHARS), completion_tokens=round(times * reply)
        )
        found[who, phase] = found.get((who, phase), Usage()) + usage

    for phase, times in calls.items():
        if phase in read:
            add(TEACHER, phase, times, read[phase], TEACHER_REPLY)
            continue
        scored = times / max(1, len(nodes) + (judged and phase != "forward"))
        for node, chars in zip(nodes, prompts, strict=True):
            own = node.parameters.get("model")
            add(own.value if isinstance(own, Option) else STUDENT, phase, scored, chars, STUDENT_REPLY)
        if judged and phase != "forward":
            add(TEACHER, phase, scored, read["loss"], TEACHER_REPLY)
    return found


def calls_per_example(network: Network) -> int:
    """Return the fewest model calls that one example needs (where the way may fork, one)."""
    if any(edge.when is not None for edge in network.edges):
        return 1
    inner = sum(calls_per_example(node.agent) for node in network.nodes if isinstance(node, AgentNode))
    return inner + sum(isinstance(node, PromptNode) for node in network.nodes)


def uncounted(network: Network) -> list[str]:
    """Return notices of calls that nobody here counts: what a user's own code asks, it asks by itself."""
    names = [node.id for node in network.nodes if isinstance(node, FunctionNode)]
    return [f"calls inside {', '.join(names)} are the node's own: not cached, not capped, not counted"] if names else []


def _choosing_rows(network: Network, rows: Mapping[str, int], settings: Settings, looks_at: frozenset[Rows]) -> int:
    """Return how many rows are run to choose by cost or time, when learning is over."""
    if settings.prefer == "score":
        return 0
    options = [item for item in network.parameters().values() if isinstance(item, Option) and item.learnable]
    others = sum(len(item.options) - 1 for item in options)
    must_pass = rows.get("must_pass", 0) if "must_pass" in looks_at else 0
    return (2 + others) * (rows.get("val", 0) or rows["train"]) + (1 + others) * must_pass


def may_move(network: Network, lr: float) -> bool:
    """Return whether a step of that learning rate asks for changes of the pipeline."""
    return network.structure.learnable and moves_allowed(lr) > 0


def _prompt_nodes(network: Network) -> Iterator[PromptNode]:
    for node in network.nodes:
        if isinstance(node, AgentNode):
            yield from _prompt_nodes(node.agent)
        elif isinstance(node, PromptNode):
            yield node


def _prompt_chars(node: PromptNode, rows: Sequence[Row]) -> float:
    """Return how long a node's messages are, as the mean over rows; what other nodes write is as long as a reply."""
    prompt, unknown = Prompt(node), "x" * (STUDENT_REPLY * CHARS)
    names = {*node.inputs, *_shown(node)}
    lengths = [
        sum(len(message.content) for message in prompt.messages({n: row.inputs.get(n, unknown) for n in names}))
        for row in rows
    ]
    return sum(lengths) / max(1, len(lengths))


def _shown(node: PromptNode) -> Iterable[str]:
    instructions = node.parameters["instructions"]
    return variables(instructions.value) if isinstance(instructions, Text) else ()


def _template(name: str) -> int:
    """Return how long one of the teacher's prompts is before anything is filled in, in characters."""
    return len(Path(__file__).with_name("teacher").joinpath("prompts", f"{name}.md").read_text("utf-8"))


def _components(network: Network) -> int:
    """Return how many parameters an update of the prompts can touch."""
    learned = (Text, Rules, Choices, Examples)
    return sum(item.learnable and isinstance(item, learned) for item in network.parameters().values())


def _reached(network: Network) -> int:
    """Return how many nodes have a learnable parameter, or come after one that has."""
    waiting = [node.id for node in network.nodes if learnable_at(network, node.id)]
    found = set(waiting)
    while waiting:
        source = waiting.pop()
        for edge in network.edges:
            if edge.source == source and edge.target not in found:
                found.add(edge.target)
                waiting.append(edge.target)
    return sum(_steps_of(network, node) for node in found)


def _steps_of(network: Network, node_id: str) -> int:
    """Return how many steps a visit of a node makes: an agent node's are those of its inner nodes."""
    for node in network.nodes:
        if node.id == node_id:
            return len(node.agent.nodes) if isinstance(node, AgentNode) else 1
    return 0  # END
