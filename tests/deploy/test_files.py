"""The files in deploy/ say what agentsym understands, agree with each other, and open no door that need not be open."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from agentsym.cli import app
from agentsym.deploy.policy import Policy, load_policy
from tests.cli.conftest import COMMAND
from tests.deploy.files import (
    DEPLOY,
    ROOT,
    UNITS,
    compose,
    dockerfile,
    env_file,
    environment,
    exec_form,
    flag,
    health_check,
    seconds,
    unit,
    unit_command,
)

OURS = ("first-token", "serve", "evolve")
USER = "10001"
SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD(?!_FILE)", re.IGNORECASE)


def commands() -> dict[str, list[str]]:
    """Return every command line of ours in the files, by where it stands, without the program."""
    services = compose()["services"]
    found = {f"compose.yaml: {name}": services[name]["command"] for name in OURS}
    found |= {name: unit_command(name)[1:] for name in UNITS}
    return {**found, "Dockerfile": exec_form("CMD")}


def require_legal(line: list[str]) -> None:
    """Check that the command line takes these words; nothing is run."""
    command: Any = typer.main.get_command(app)
    context, words = None, list(line)
    while True:
        context = command.make_context(command.name, words, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


@pytest.mark.parametrize("where", commands())
def test_every_command_line_is_one_that_agentsym_takes(where: str) -> None:
    require_legal([str(word) for word in commands()[where]])


def test_the_page_shows_command_lines_that_agentsym_takes() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    shown = [shlex.split(line) for line in re.findall(r"(?m)(?:^|[`/])agentsym ([a-z][^`\n#]+)", page)]
    lines = [line for line in shown if line not in (["serve"], ["evolve", "watch"])]  # these are only named
    assert len(lines) > 8
    for line in lines:
        require_legal(line)


@pytest.mark.parametrize("wrong", [["serve", "x", "--prot", "1"], ["evolve", "wotch", "x"], ["tokens", "create"]])
def test_a_command_line_that_agentsym_does_not_take_would_be_found(wrong: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such|Missing"):
        require_legal(wrong)


def test_the_policy_says_all_defaults() -> None:
    file = DEPLOY / "policy.yaml"
    assert load_policy(file) == Policy()
    assert yaml.safe_load(file.read_text("utf-8")) == Policy().model_dump(mode="json")


def test_the_image_gets_only_what_it_is_built_from() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").split("\n") if not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    first = [each.rest.split() for each in dockerfile() if each.word == "COPY" and each.stage == 0]
    assert let_in == {source for *sources, _ in first for source in sources}
    assert all((ROOT / name).exists() for name in let_in)


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret() -> None:
    found = dockerfile()
    last = max(each.stage for each in found)
    of_last = [each for each in found if each.stage == last]
    assert [each.rest for each in of_last if each.word == "USER"] == [f"{USER}:{USER}"]
    assert not any(each.word == "RUN" for each in of_last[of_last.index(_one(of_last, "USER")) :])
    assert {each.rest.split()[0] for each in found if each.word == "FROM"} == {"python:${PYTHON_VERSION}-slim"}
    assert not any(SECRET_NAMES.search(each.rest) for each in found if each.word in ("ENV", "ARG"))
    assert "ADD" not in {each.word for each in found}
    assert exec_form("ENTRYPOINT") == ["agentsym"]
    version = _one(found, "ARG").rest.partition("=")[2]
    requires = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert requires and version == requires[1], "constraints.txt is made for the oldest Python"


def test_nothing_is_traced_to_elsewhere_unless_somebody_asks_for_it() -> None:
    off = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
    last = max(each.stage for each in dockerfile())
    assert environment(last).items() >= off.items()
    for name in UNITS:
        assert {f"{key}={value}" for key, value in off.items()} <= set(" ".join(unit(name)["Environment"]).split())


def test_ports_users_paths_and_times_agree() -> None:
    services = compose()["services"]
    serve, evolve, first, db = (services[name] for name in ("serve", "evolve", "first-token", "db"))
    port = flag(serve["command"], "--port")
    assert [each.rest for each in dockerfile() if each.word == "EXPOSE"] == [port]
    assert flag(exec_form("CMD"), "--port") == port and f"'127.0.0.1', {port}" in health_check()[-1]
    (published,) = serve["ports"]
    host, outside, inside = published.split(":")
    assert (host, inside) == ("127.0.0.1", port)
    low, high = map(int, outside.split("-"))
    assert high - low + 1 >= serve["deploy"]["replicas"] > 1
    assert seconds(serve["stop_grace_period"]) > float(flag(serve["command"], "--grace"))
    assert float(unit(UNITS[0])["TimeoutStopSec"][0]) > float(flag(unit_command(UNITS[0]), "--grace"))
    last = max(each.stage for each in dockerfile())
    home = environment(last)["AGENTSYM_HOME"]
    assert any(mount.startswith(f"{home}:uid={USER},gid={USER},") for mount in serve["tmpfs"])
    assert flag(first["command"], "--out").startswith(f"{home}/") and f"first-token:{home}" in first["volumes"]
    policy = flag(serve["command"], "--policy")
    for service in (serve, evolve):
        assert f"./policy.yaml:{policy}:ro" in service["volumes"] and service["command"].count(f"--policy={policy}")
        variables = service["environment"]
        assert variables["AGENTSYM_STORE_PASSWORD_FILE"] == db["environment"]["POSTGRES_PASSWORD_FILE"]
        user, name = (db["environment"][f"POSTGRES_{what}"] for what in ("USER", "DB"))
        assert variables["AGENTSYM_STORE"] == f"postgresql://{user}@db:5432/{name}"
        assert set(service["secrets"]) == set(db["secrets"]) == set(compose()["secrets"])
    assert {flag(unit_command(each), "--policy") for each in UNITS} == {policy}
    student = [flag(each["command"], "--student") for each in (serve, evolve)]
    assert student[0] == student[1]


def test_every_container_is_kept_small() -> None:
    found = compose()
    for name in OURS:
        service = found["services"][name]
        assert service["read_only"] and service["init"] and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"] and service["pids_limit"]
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
        assert not any(SECRET_NAMES.search(key) and value for key, value in service["environment"].items())
    assert [name for name, service in found["services"].items() if "ports" in service] == ["serve"]
    assert found["services"]["db"]["networks"] == ["data"] and found["networks"]["data"]["internal"]
    limits = {name: service["deploy"]["resources"]["limits"]["memory"] for name, service in found["services"].items()}
    assert {limits["serve"], limits["evolve"]} == {each.lower() for u in UNITS for each in unit(u)["MemoryMax"]}


def test_the_examples_of_variables_name_those_that_are_used_with_their_defaults() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    told = env_file(DEPLOY / "env.example")
    assert told and all(used[name] == value for name, value in told.items())
    units = "".join((DEPLOY / name).read_text("utf-8") for name in UNITS)
    assert set(re.findall(r"\$\{(\w+)\}", units)) == set(env_file(DEPLOY / "agentsym.env")) - {"AGENTSYM_STORE"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    assert text.count("/opt/agentsym/bin/agentsym") == 1
    (tmp_path / name).write_text(text.replace("/opt/agentsym/bin/agentsym", COMMAND), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS)
def test_the_units_leave_open_what_learned_code_needs(name: str) -> None:
    """As `agentsym doctor` said under a real systemd 252, where each of these was tried alone."""
    found = unit(name)
    assert not {"RestrictNamespaces", "ProcSubset", "PrivateNetwork"} & found.keys()
    permitted = found["SystemCallFilter"][0].split()
    landlock = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    assert {"@mount", *landlock} <= set(permitted)
    assert "AF_NETLINK" in found["RestrictAddressFamilies"][0].split()
    assert found["KillMode"] == ["mixed"] and found["DynamicUser"] == found["NoNewPrivileges"] == ["yes"]


def test_compose_takes_the_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker's plugin compose is not installed")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    (tmp_path / "deploy" / "secrets").mkdir()
    (tmp_path / "deploy" / "secrets" / "db-password").write_text("x", "utf-8")
    done = subprocess.run(
        [docker, "compose", "-f", "compose.yaml", "config", "--quiet"],
        cwd=tmp_path / "deploy",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _one(found: list[Any], word: str) -> Any:
    return next(each for each in found if each.word == word)
