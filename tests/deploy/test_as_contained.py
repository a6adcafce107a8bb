"""What a container makes of agentsym, without Docker: the image's steps in a folder, and its process in a jail.

The jail is bubblewrap's: nothing but /tmp and the state's folder can be written, and no further user namespace can be
made, as in a container with Docker's defaults.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import COMMAND
from tests.deploy.files import ROOT, dockerfile, environment, exec_form, health_check

IMAGE = environment(max(each.stage for each in dockerfile()))
HOME = IMAGE["AGENTSYM_HOME"]
USER = "10001"


def jail(*words: str, **variables: str) -> list[str]:
    """Return a command that runs another one as in the container."""
    parent = str(Path(HOME).parent)
    ours = [str(path) for path in (ROOT, Path(sys.prefix)) if path.is_relative_to("/tmp")]  # a checkout may lie there
    seen = tuple(word for path in ours for word in ("--ro-bind", path, path))
    places = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", *seen, "--tmpfs", parent)
    state = ("--tmpfs", HOME, "--remount-ro", parent, "--chdir", HOME)
    who = ("--unshare-user", "--uid", USER, "--gid", USER, "--disable-userns", "--die-with-parent")
    kept = {"PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    pairs = {**IMAGE, **kept, **variables}.items()
    return ["bwrap", *places, *state, *who, "--clearenv", *(w for pair in pairs for w in ("--setenv", *pair)), *words]


@pytest.fixture(scope="module")
def jailed() -> None:
    """Skip where there is no such jail."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    tried = subprocess.run(jail("true"), capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"bubblewrap makes no such jail here: {tried.stderr.strip()}")


@pytest.fixture
def served(jailed: None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The image's own command, with a first token, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [word.replace("8000", str(port)) for word in exec_form("CMD")]
    first = "agentsym tokens create first --scope admin --if-none --out first-token"
    line = ["sh", "-c", f'{first} && {first} && cat first-token && echo $$ && exec agentsym "$@"', "sh", *words]
    process = subprocess.Popen(jail(*line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process, port
    process.kill()
    process.communicate(timeout=20)


def test_the_server_needs_no_more_than_two_folders_to_write_to(served: tuple[subprocess.Popen[str], int]) -> None:
    process, port = served
    assert process.stdout is not None and process.stderr is not None
    secret, number = process.stdout.readline().strip(), int(process.stdout.readline())
    for line in iter(process.stderr.readline, ""):
        if "answers at" in line:
            break
    asked = {"inputs": {"message": "My card was charged twice", "arrived": "2026-11-23T09:30"}}
    url = f"http://127.0.0.1:{port}"
    assert httpx.post(f"{url}/invoke", json=asked, timeout=20).status_code == 401
    sent = httpx.post(f"{url}/invoke", json=asked, headers={"authorization": f"Bearer {secret}"}, timeout=20)
    assert sent.status_code == 200 and sent.json()["trace_id"]
    check = [sys.executable, *health_check()[1:-1], health_check()[-1].replace("8000", str(port))]
    assert subprocess.run(check, env={**os.environ, "http_proxy": "http://127.0.0.1:9"}, timeout=20).returncode == 0
    os.kill(number, signal.SIGTERM)
    assert process.wait(20) == 0
    assert subprocess.run(check, capture_output=True, timeout=20).returncode == 1
    assert "every answer that was given is recorded" in process.stderr.read()


def test_learned_code_has_its_sandbox_in_a_container_too(jailed: None) -> None:
    done = subprocess.run(jail("agentsym", "doctor", "--json"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    sandbox = json.loads(done.stdout)["sandbox"]
    found = {each["level"]: each for each in sandbox["levels"]}
    if "no Landlock" in found["kernel"]["reason"]:
        pytest.skip("this kernel has no Landlock")
    assert sandbox["level"] == "kernel" and not found["bubblewrap"]["works"]
    assert found["kernel"]["found"]["uid"] == int(USER)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_steps_of_the_image_make_an_installation_that_serves(tmp_path: Path) -> None:
    workdir, prefix = tmp_path / "src", tmp_path / "opt"
    workdir.mkdir()
    arguments = dict(each.rest.split("=", 1) for each in dockerfile() if each.word == "ARG")  # type: ignore[misc]
    for each in dockerfile():
        if each.stage != 0:
            continue
        if each.word == "COPY":
            *sources, target = each.rest.split()
            for source in map(ROOT.joinpath, sources):
                if source.is_dir():
                    shutil.copytree(source, workdir / target, ignore=shutil.ignore_patterns(".*", "__pycache__"))
                else:
                    shutil.copy(source, workdir / target)
        elif each.word == "RUN":
            step = re.sub(r"--mount=\S+\s*", "", each.rest).replace("/opt/agentsym", str(prefix))
            _do(step.replace("python -m", f"{sys.executable} -m"), workdir, arguments)
    program = prefix / "bin" / "agentsym"
    found = json.loads(subprocess.run([program, "doctor", "--json"], cwd=tmp_path, capture_output=True).stdout)
    for extra in arguments["EXTRAS"].split(","):
        assert None not in found["extras"][extra].values(), extra
    assert None in found["extras"]["providers"].values()
    done = subprocess.run(
        [program, *exec_form("CMD")], cwd=tmp_path, env={"AGENTSYM_HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2 and "there is no token yet" in done.stderr


def _do(step: str, folder: Path, arguments: dict[str, str]) -> None:
    """Do what a RUN says; skip where packages cannot be had."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["sh", "-c", step], cwd=folder, env={**environment, **arguments}, capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    probe = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "platformdirs"]
    if "pip install" in step and subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("no package can be had here by pip")
    pytest.fail(f"{step}: exit code {done.returncode}\n{done.stderr}")
