"""A level is used only after code in it has failed to do what must not work."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox import find, levels
from agentsym.runtime.sandbox.find import find_sandbox, judge
from agentsym.runtime.sandbox.levels import Level
from agentsym.runtime.sandbox.process import ProcessSandbox
from tests.runtime.sandbox.suite import weakened
from tests.runtime.sandbox.world import a_world

linux = pytest.mark.skipif(sys.platform != "linux", reason="these levels of the sandbox need Linux")


@linux
def test_a_level_that_lets_something_through_is_refused() -> None:
    verdict = judge(weakened("kernel", {"kernel.filter_calls(self._filter)": "pass"}))
    assert not verdict.works
    assert "change a file's mode" in verdict.reason and "connect to a socket" in verdict.reason
    verdict = judge(weakened("kernel", {"if self._abi:": "if False:"}))
    assert verdict.reason == "it lets code read a file, write to a file, make a file, list a folder"


@linux
def test_where_a_step_is_refused_nothing_is_run() -> None:
    verdict = judge(weakened("kernel", {"kernel.drop_capabilities()": "raise OSError(1, str())"}))
    assert "could not be confined, so nothing was run" in verdict.reason


@linux
def test_a_kernel_without_landlock_does_not_do_alone() -> None:
    verdict = judge(weakened("kernel", {"self._abi = landlock.version()": "self._abi = 0"}))
    assert not verdict.works
    assert "the kernel has no Landlock (Linux 5.13 and later have" in verdict.reason


@linux
def test_an_unknown_processor_is_refused() -> None:
    verdict = judge(weakened("kernel", {"calls.is_known()": "None"}))
    assert "the system calls of this processor are not known" in verdict.reason


def test_without_any_level_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Sequence[str]:
        raise SandboxError("it is not installed")

    monkeypatch.setattr(find, "levels", lambda: (Level("some", "", missing), Level("other", "", missing)))
    find_sandbox.cache_clear()
    try:
        with pytest.raises(SandboxError) as raised:
            find_sandbox()
    finally:
        find_sandbox.cache_clear()
    assert "learning prompts and structure does without" in str(raised.value)
    assert "  - some: it is not installed\n  - other: it is not installed" in str(raised.value)


def test_other_systems_have_the_container_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    for level in levels.levels()[:2]:
        with pytest.raises(SandboxError, match="it needs Linux, and this is darwin"):
            level.command()


@linux
async def test_a_checkout_that_nobody_else_may_enter_will_do(tmp_path: Path) -> None:
    """The library is read from a folder of mode 0700, as it is in a home folder, whoever runs it."""
    closed = tmp_path / "closed"
    shutil.copytree(Path(find.__file__).parents[3] / "agentsym", closed / "agentsym")
    closed.chmod(0o700)
    program = "from agentsym.runtime.sandbox.find import *; print(*(judge(level).works for level in levels()[:2]))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=closed, env={**os.environ, "PYTHONPATH": str(closed)}, capture_output=True
    )
    works = [judge(level).works for level in levels.levels()[:2]]
    assert done.stdout.decode().split() == [str(each) for each in works], done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a stand-in for docker that is a shell script")
def test_docker_runs_an_image_that_is_there_without_network_or_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker` is a stand-in here: it keeps its arguments and runs the program on this machine, as the image would."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!{sys.executable}
import os, sys
if sys.argv[1] == "image":
    sys.exit("No such image" if sys.argv[-1] == "missing" else 0)
open({str(tmp_path / "arguments")!r}, "w").write(" ".join(sys.argv[1:-1]))
start = sys.argv.index("present") + 2
os.execv({levels._interpreter()!r}, [{levels._interpreter()!r}, *sys.argv[start:]])
"""
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (level,) = (level for level in levels.levels() if level.name == "docker")
    monkeypatch.setenv(levels.IMAGE_VARIABLE, "missing")
    with pytest.raises(SandboxError, match=r"cannot use the image missing \(No such image\); `docker pull missing`"):
        level.command()
    monkeypatch.setenv(levels.IMAGE_VARIABLE, "present")
    judge.cache_clear()
    verdict = judge(level)
    assert verdict.works, verdict.reason
    given = (tmp_path / "arguments").read_text()
    for option in (
        "--network none",
        "--read-only",
        "--cap-drop ALL",
        "--user 65534:65534",
        "--pull never",
        "--ipc none",
    ):
        assert option in given
    judge.cache_clear()


@linux
def test_harm_to_the_world_of_the_attacks_would_be_seen() -> None:
    with a_world() as world:
        world.before = world.look()
        assert world.harm() == []
        world.file.write_text("harm")
        (world.folder / "new").touch()
        connection = socket.create_connection(("127.0.0.1", world.names["port"]))
        os.setpriority(os.PRIO_PROCESS, world.victim, 10)
        harm = "\n".join(world.harm())
        connection.close()
    for part in ("files", "connections", "victim"):
        assert f"{part}: " in harm


async def test_a_sandbox_says_what_it_is_made_of() -> None:
    sandbox = find_sandbox()
    assert isinstance(sandbox, ProcessSandbox)
    found = await sandbox.found()
    assert found["uid"] != 0
