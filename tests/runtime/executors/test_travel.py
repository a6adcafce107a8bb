"""A network arrives at a worker as it was sent, with the same code or not at all; errors arrive as what they are."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from agentsym import errors
from agentsym.errors import AgentsymError, NetworkError, RateLimited, UsageError
from agentsym.network.code import load_file
from agentsym.network.network import Network
from agentsym.network.nodes import AgentNode, FunctionNode, ToolNode
from agentsym.network.tool import as_tool, load_tool
from agentsym.runtime.executors.failures import error_of, failure_of
from agentsym.runtime.executors.travel import opened, parcel_of
from tests.runtime.executors.near import asks_twice, doubled


def own_file(folder: Path, body: str = "return n + 1") -> Path:
    file = folder / "own.py"
    file.write_text(f"def more(n: int) -> int:\n    {body}\n", "utf-8")
    return file


def of_file(file: Path) -> Network:
    tool = as_tool(load_file(file, "own.py").more)
    return Network("own", [ToolNode("t", tool, inputs=["n"], output="m")])


def test_a_network_arrives_with_its_version_and_its_code(tmp_path: Path) -> None:
    inside = Network("inside", [FunctionNode("twice", doubled, output={"d": str})])
    due = ToolNode("due", load_tool("deadline"), inputs=["urgency", "arrived"], output="due")
    for network in (asks_twice(), of_file(own_file(tmp_path)), Network("o", [AgentNode("deep", inside), due])):
        there = opened(pickle.loads(pickle.dumps(parcel_of(network))))
        assert there.version == network.version
    assert there.nodes[0].agent.nodes[0].target() is doubled  # type: ignore[union-attr]


def test_a_file_is_found_in_its_folder_from_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = parcel_of(of_file(own_file(tmp_path)))
    monkeypatch.chdir("/")
    node = opened(parcel).nodes[0]
    assert isinstance(node, ToolNode) and node.tool.function()(1) == 2


def test_code_that_a_worker_does_not_have_is_named_with_the_remedy(tmp_path: Path) -> None:
    parcel = parcel_of(of_file(own_file(tmp_path)))
    (tmp_path / "own.py").unlink()
    with pytest.raises(UsageError, match=r"t: own.py:more is not on the worker on .*install the package.*folder"):
        opened(parcel)


def test_code_that_is_another_one_on_a_worker_is_refused(tmp_path: Path) -> None:
    parcel = parcel_of(of_file(own_file(tmp_path)))
    own_file(tmp_path, "return n + 2")
    with pytest.raises(UsageError, match=r"t: own.py:more is another code on the worker .*install the same version"):
        opened(parcel)


def test_another_release_that_reads_another_version_is_refused() -> None:
    parcel = parcel_of(asks_twice())._replace(version="of another release")
    with pytest.raises(UsageError, match="another version there; install the same agentsym"):
        opened(parcel)


@pytest.mark.parametrize(
    "kind", [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, Exception)]
)
def test_every_error_of_ours_arrives_as_its_kind(kind: type[AgentsymError]) -> None:
    there = error_of(pickle.loads(pickle.dumps(failure_of(kind("what, where, and what to do")))))
    assert (type(there), str(there)) == (kind, "what, where, and what to do")


def test_what_an_error_knows_arrives_too_and_a_strangers_error_as_text() -> None:
    late = error_of(failure_of(RateLimited("slowly", retry_after=2.5)))
    assert isinstance(late, RateLimited) and late.retry_after == 2.5
    several = error_of(failure_of(NetworkError("not legal:", ["one", "two"])))
    assert isinstance(several, NetworkError) and several.problems == ("one", "two") and "  - two" in str(several)
    assert str(error_of(failure_of(KeyError("x")))) == "KeyError: 'x'"
