"""`Network`: nodes, edges and parameters as one immutable value, with a version made of its content.

Everything else in the framework takes a network and gives something back; nothing changes one in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import PrivateAttr, model_validator

from agentsym.errors import NetworkError
from agentsym.network.canonical import Frozen, FrozenDict, Json, canonical_json, content_hash
from agentsym.network.fields import Field, FieldSpec, as_fields
from agentsym.network.nodes import AgentNode, AnyNode, Node, NodeId, PromptNode, Tool, ToolNode
from agentsym.network.parameters import Parameter, Structure

if TYPE_CHECKING:
    from agentsym.network.edits import Edit

START = "__start__"
END = "__end__"


class When(Frozen):
    """A condition on one field: `When(field="intent", value="refund")` holds if the field has the value."""

    field: str
    op: Literal["eq", "ne", "in", "contains", "lt", "gt", "exists"] = "eq"
    value: Json = None

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, data: Any) -> Any:
        """Accept `{"intent": "refund"}` for a field that equals a value."""
        if isinstance(data, Mapping) and len(data) == 1 and "field" not in data:
            ((field, value),) = data.items()
            return {"field": field, "value": value}
        return data

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Evaluate the condition on the fields written so far; a field that is not there holds nothing."""
        if self.field not in values:
            return False
        value = values[self.field]
        match self.op:
            case "eq":
                return bool(value == self.value)
            case "ne":
                return bool(value != self.value)
            case "in":
                return value in self.value
            case "contains":
                return self.value in value
            case "lt":
                return bool(value < self.value)
            case "gt":
                return bool(value > self.value)
            case "exists":
                return value is not None


class Edge(Frozen):
    """A connection; a node's conditional edges are tried by priority (low first), one that holds is taken."""

    source: str
    target: str
    when: When | None = None
    priority: int = 0

    @model_validator(mode="before")
    @classmethod
    def _from_tuple(cls, data: Any) -> Any:
        """Accept `(source, target)` and `(source, target, {"field": value})`."""
        if not isinstance(data, tuple | list):
            return data
        source, target, *rest = data
        return {"source": source, "target": target, "when": rest[0] if rest else None}


class Network(Frozen):
    """A symbolic network.

    Args:
        name: how people call it.
        nodes: its nodes.
        edges: `Edge`s, or tuples `(from, to)` or `(from, to, {"field": value})`; START and END are added
            where nothing leads in or out.
        inputs: the fields it takes; by default those that are read before any node writes them.
        outputs: the fields it gives; by default every field that is written whichever way a run takes. An
            output is always there: what only one branch writes can be none.
        tools: tools that prompt nodes name in `tools` (those given to the nodes as objects are added by
            themselves).
        description: what it is for.
        structure: whether the pipeline itself may be learned.

    Raises:
        NetworkError: when the network is not legal; every problem is listed.
    """

    schema_version: Literal[1] = 1
    name: NodeId
    description: str = ""
    inputs: tuple[Field, ...] = ()
    outputs: tuple[str, ...] = ()
    nodes: tuple[AnyNode, ...] = ()
    tools: tuple[Tool, ...] = ()
    edges: tuple[Edge, ...] = ()
    structure: Structure = Structure()
    _version: str | None = PrivateAttr(default=None)
    _tuned_with: FrozenDict = PrivateAttr(default_factory=FrozenDict)

    def __init__(
        self,
        name: str,
        nodes: Sequence[Node | Mapping[str, Any]] = (),
        edges: Iterable[Any] = (),
        *,
        inputs: Mapping[str, FieldSpec] | Iterable[Any] | None = None,
        outputs: Iterable[str] | None = None,
        tools: Iterable[Any] = (),
        description: str = "",
        structure: Any = None,
        **data: Any,
    ) -> None:
        self._fill(
            name=name,
            nodes=tuple(nodes),
            edges=tuple(edges),
            inputs=as_fields(inputs) if inputs is not None else (),
            outputs=tuple(outputs or ()),
            tools=tuple(tools),
            description=description,
            structure=structure if structure is not None else Structure(),
            **data,
        )
        self._complete(infer_inputs=inputs is None, infer_outputs=outputs is None)
        self.check()

    def _complete(self, *, infer_inputs: bool, infer_outputs: bool) -> None:
        """Fill in what a user may leave out: tools held by nodes, START and END, inputs and outputs."""
        from agentsym.network.dataflow import fields_read_first, surely_written

        tools = {tool.name: tool for node in self.nodes if isinstance(node, PromptNode) for tool in node._tools}
        tools.update({tool.name: tool for tool in self.tools})
        edges = list(self.edges)
        edges += [Edge(source=START, target=n.id) for n in self.nodes if all(e.target != n.id for e in self.edges)]
        edges += [Edge(source=n.id, target=END) for n in self.nodes if all(e.source != n.id for e in self.edges)]
        self.__dict__.update(tools=tuple(tools.values()), edges=tuple(edges))
        if infer_inputs:
            self.__dict__["inputs"] = fields_read_first(self)
        if infer_outputs:
            sure = surely_written(self)[END]
            written = dict.fromkeys(field.name for node in self.nodes for field in node.output)
            self.__dict__["outputs"] = tuple(name for name in written if name in sure)

    def check(self) -> None:
        """Raise NetworkError with every problem that the lint finds."""
        from agentsym.network.lint import lint

        if problems := lint(self):
            raise NetworkError(f"agent {self.name!r} is not legal:", [str(problem) for problem in problems])

    @property
    def version(self) -> str:
        """The SHA-256 of the content: the same in every process, for every order of keys, nodes and edges."""
        if self._version is None:
            self._version = content_hash(self.content())
        assert self._version is not None
        return self._version

    def content(self) -> dict[str, Any]:
        """Return what the version is made of, as plain JSON; an inner agent stands in it by its version."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        for node, dumped in zip(self.nodes, plain.get("nodes", ()), strict=True):
            if isinstance(node, AgentNode):
                dumped["agent"] = node.agent.version
        for part in ("inputs", "outputs", "nodes", "tools", "edges"):
            plain[part] = sorted(plain.get(part, ()), key=canonical_json)
        return plain

    @property
    def tuned_with(self) -> Mapping[str, str]:
        """The model strings that it was tuned with (`student`, `teacher`), as its file says; not in the version."""
        return self._tuned_with

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some attributes replaced, unchecked; `check` the last one of a chain."""
        copy = self.model_copy(update=changes)
        copy._version = None
        return copy

    def node(self, node_id: str) -> AnyNode:
        """Return a node by its id."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise NetworkError(f"agent {self.name!r} has no node {node_id!r}; it has {', '.join(n.id for n in self.nodes)}")

    def tool(self, name: str) -> Tool:
        """Return a tool that prompt nodes may call, by its name."""
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise NetworkError(f"agent {self.name!r} has no tool {name!r}; it has {', '.join(t.name for t in self.tools)}")

    def out_edges(self, source: str) -> tuple[Edge, ...]:
        """Return the edges that leave a node (or START) in the order in which they are tried."""
        edges = (edge for edge in self.edges if edge.source == source)
        return tuple(sorted(edges, key=lambda edge: (edge.priority, edge.when is None, edge.target)))

    def output_fields(self) -> tuple[Field, ...]:
        """Return the fields of the agent's output, in order."""
        written = {field.name: field for node in self.nodes for field in node.output}
        return tuple(written[name] for name in self.outputs if name in written)

    def parameters(self) -> dict[str, Parameter]:
        """Return every parameter by its path (`node/name`, `tool/name`, and `structure`)."""
        found: dict[str, Parameter] = {}
        for node in self.nodes:
            found.update({f"{node.id}/{name}": parameter for name, parameter in node.weights().items()})
        for tool in self.tools:
            found.update({f"{tool.name}/{name}": parameter for name, parameter in tool.parameters.items()})
        return {**found, "structure": self.structure}

    def parameter(self, path: str) -> Parameter:
        """Return one parameter by its path."""
        parameters = self.parameters()
        if path not in parameters:
            raise NetworkError(f"agent {self.name!r} has no parameter {path!r}; it has {', '.join(parameters)}")
        return parameters[path]

    def with_parameter(self, path: str, parameter: Parameter) -> Self:
        """Return a copy with one parameter replaced and nothing checked."""
        self.parameter(path)
        if path == "structure":
            return self.replace(structure=parameter)
        owner, name = path.split("/", 1)
        nodes = tuple(
            node.with_weight(name, parameter) if node.id == owner and name in node.weights() else node
            for node in self.nodes
        )
        tools = tuple(
            tool.model_copy(update={"parameters": FrozenDict({**tool.parameters, name: parameter})})
            if tool.name == owner
            else tool
            for tool in self.tools
        )
        return self.replace(nodes=nodes, tools=tools)

    def state_dict(self) -> dict[str, Any]:
        """Return the value of every parameter by its path, as plain JSON (the structure itself left out)."""
        return {path: item.content for path, item in self.parameters().items() if path != "structure"}

    def load_state_dict(self, values: Mapping[str, Any], *, strict: bool = True) -> Self:
        """Return a copy with the values of `state_dict`; with `strict`, paths must be exactly the same."""
        known = self.state_dict()
        missing, unknown = known.keys() - values.keys(), values.keys() - known.keys()
        if strict and (missing or unknown):
            raise NetworkError(
                f"the values do not fit agent {self.name!r}:",
                [f"missing: {path}" for path in sorted(missing)] + [f"unknown: {path}" for path in sorted(unknown)],
            )
        changed = self
        for path in known.keys() & values.keys():
            changed = changed.with_parameter(path, self.parameter(path).with_value(values[path]))
        changed.check()
        return changed

    def freeze(self, *paths: str) -> Self:
        """Return a copy in which learning may not change these parameters."""
        return self._set_learnable(paths, False)

    def unfreeze(self, *paths: str) -> Self:
        """Return a copy in which learning may change these parameters."""
        return self._set_learnable(paths, True)

    def _set_learnable(self, paths: Iterable[str], learnable: bool) -> Self:
        changed = self
        for path in paths:
            parameter = changed.parameter(path).model_copy(update={"learnable": learnable})
            changed = changed.with_parameter(path, parameter)
        return changed

    def apply(self, edits: Sequence[Edit]) -> Self:
        """Return the network with all edits applied, or raise NetworkError and change nothing."""
        from agentsym.network.edits import apply

        return apply(self, edits)

    def _repr_html_(self) -> str:
        """Show the graph in a notebook."""
        from agentsym.network.drawing import svg

        return svg(self)

    def save(self, folder: str | Path, tuned_with: Mapping[str, str] | None = None) -> Path:
        """Write `agent.yaml` and `tools/*.py` into a folder and return it; see `files.save`."""
        from agentsym.network.files import save

        return save(self, folder, tuned_with)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an agent from its folder or YAML file; see `files.load`."""
        from agentsym.network.files import load

        return load(path, cls)


AgentNode.model_rebuild(_types_namespace={"Network": Network})
Network.model_rebuild()
ToolNode.model_rebuild()
