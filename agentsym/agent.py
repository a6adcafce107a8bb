"""`Agent`: a network that a user can hold and run.

It adds nothing to what a network is; each method hands over to the runtime or to the network's own functions, and
each sync method is the async one, waited for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from agentsym.network.network import END, Edge, Network
from agentsym.network.nodes import AgentNode, PromptNode

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from agentsym.network.diff import Diff
    from agentsym.runtime.context import Student
    from agentsym.runtime.session import Session
    from agentsym.runtime.streaming import StreamMode


class Agent(Network):
    """An agent: an immutable symbolic network with what it takes to run it; see `Network` for how to make one."""

    def invoke(self, inputs: Mapping[str, Any], *, student: Student = None) -> dict[str, Any]:
        """Run one example and return the output, field → value.

        Args:
            inputs: field → value, exactly the agent's inputs.
            student: who runs the prompt nodes: a model string or a model; by default `AGENTSYM_STUDENT`, else the
                embedded reader. A session (`runtime.Session`) keeps one for many calls.

        Raises:
            UsageError: when the inputs do not fit the agent.
            NodeError: when a node fails; names the node and the cause.
        """
        with self._session(student) as session:
            return session.invoke(self, inputs)

    async def ainvoke(self, inputs: Mapping[str, Any], *, student: Student = None) -> dict[str, Any]:
        """Run one example and return the output; see `invoke`."""
        async with self._session(student) as session:
            return await session.ainvoke(self, inputs)

    def batch(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        student: Student = None,
        concurrency: int = 8,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """Run many examples, at most `concurrency` at once, and return their outputs in order.

        With `return_exceptions`, the error of a failed example stands in its place instead of being raised.
        """
        with self._session(student, concurrency) as session:
            return session.batch(self, inputs, return_exceptions=return_exceptions)

    async def abatch(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        student: Student = None,
        concurrency: int = 8,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """Run many examples and return their outputs in order; see `batch`."""
        async with self._session(student, concurrency) as session:
            return await session.abatch(self, inputs, return_exceptions=return_exceptions)

    def stream(
        self, inputs: Mapping[str, Any], *, student: Student = None, stream_mode: StreamMode = "updates"
    ) -> Iterator[dict[str, Any]]:
        """Run one example and yield what happens; see `astream`."""
        with self._session(student) as session:
            yield from session.stream(self, inputs, stream_mode=stream_mode)

    async def astream(
        self, inputs: Mapping[str, Any], *, student: Student = None, stream_mode: StreamMode = "updates"
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Run one example and yield what happens: `{node: output}` as each node ends.

        With `stream_mode="text"` it is `{node: piece}` of each model's answer while it is written.
        """
        async with (
            self._session(student) as session,
            aclosing(session.astream(self, inputs, stream_mode=stream_mode)) as items,
        ):
            async for item in items:
                yield item

    def compile(
        self,
        *,
        checkpointer: Any = None,
        interrupt_before: Sequence[str] | Literal["*"] = (),
        interrupt_after: Sequence[str] | Literal["*"] = (),
        name: str | None = None,
    ) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return the langgraph graph itself, usable inside any other; it shows the agent's inputs and outputs only."""
        from agentsym.runtime.compile import compile

        return compile(
            self,
            checkpointer=checkpointer,
            interrupt_before=interrupt_before,
            interrupt_after=interrupt_after,
            name=name,
        )

    def diff(self, other: Network) -> Diff:
        """Return what is different in `other`: nodes, edges, tools and every weight."""
        from agentsym.network.diff import diff

        return diff(self, other)

    def mermaid(self) -> str:
        """Return the text of a Mermaid flowchart."""
        from agentsym.network.mermaid import mermaid

        return mermaid(self)

    def __str__(self) -> str:
        """Say in a few lines what the agent takes and gives, which nodes it has and how they are connected."""
        lines = [
            f"{self.name} ({self.version[:12]})" + (f": {self.description}" if self.description else ""),
            f"  takes {', '.join(field.name for field in self.inputs) or 'nothing'}; gives {', '.join(self.outputs)}",
        ]
        for node in self.nodes:
            more = f", may call {', '.join(node.tools)}" if isinstance(node, PromptNode) and node.tools else ""
            more += f", runs {node.agent.name}" if isinstance(node, AgentNode) else ""
            writes = ", ".join(field.name for field in node.output)
            lines.append(f"  {node.id} ({node.kind}): {', '.join(node.inputs)} → {writes}{more}")
            lines.append(f"    then {', '.join(_way(edge) for edge in self.out_edges(node.id))}")
        learnable = [path for path, parameter in self.parameters().items() if parameter.learnable]
        lines.append(f"  learns {', '.join(learnable) or 'nothing'}")
        return "\n".join(lines)

    def _session(self, student: Student, concurrency: int = 8) -> Session:
        from agentsym.runtime.session import Session

        return Session(student, concurrency=concurrency)


def _way(edge: Edge) -> str:
    from agentsym.network.mermaid import condition

    target = "END" if edge.target == END else edge.target
    return f"{target} when {condition(edge.when)}" if edge.when else target
