"""Whatever is wrong with what the command is given is said in one line that names the place and the remedy.

Each entry of the table is one mistake, made once for a person and once for a program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agentsym.models.retry import RetryPolicy
from evals.openai_server import Server
from evals.openai_server.brains import classroom
from tests.cli.conftest import Call, Result

OPTIMIZE = ("optimize", "things")
RUN = ("run", "things", "--data", "things/data/val.jsonl")
EVAL = ("eval", "things", "--data", "things/data/val.jsonl")
STUDENT = ("--student", "openai/student")
NOWHERE = "/proc/nothing/here"  # not even root can write there
BROKEN = "def broken(row, output):\n    return row['label']\n"


class Case(NamedTuple):
    """One mistake: what is called, what is said, the exit code, and what is done beforehand.

    Attributes:
        args: the command.
        said: parts of the one line.
        code: 2 for wrong usage, 1 for a failure, 3 for a cap.
        edit: file → the line of it that is replaced (from 0) and what it is replaced by; `None` removes the file.
        environment: variables; `{url}` is the address of a server that knows the key `right`.
    """

    args: tuple[str, ...]
    said: tuple[str, ...]
    code: int = 2
    edit: tuple[str, int, str] | None = None
    environment: tuple[tuple[str, str], ...] = ()


def openai(url: str = "{url}", key: str = "right") -> tuple[tuple[str, str], ...]:
    return (("OPENAI_BASE_URL", url), ("OPENAI_API_KEY", key))


CAPS = [
    (flag, value)
    for flag in ("--max-calls", "--max-tokens", "--max-usd", "--max-seconds")
    for value in ("0", "-1", "nan", "many")
]
VAL = "things/data/val.jsonl"
TABLE = {
    "a file that is not there": Case((*OPTIMIZE, "--test", "tset.jsonl"), ("tset.jsonl: there is no such file",)),
    "a file that is not there, run": Case((*RUN[:3], "vla.jsonl"), ("vla.jsonl: there is no such file",)),
    "an agent that is not there": Case(("run", "thing", "--input", "{}"), ("no agent 'thing'", "did you mean things?")),
    "a row that is no JSON": Case(OPTIMIZE, ("val.jsonl:3: not valid JSON",), edit=(VAL, 2, '{"text": ')),
    "a row that is no JSON, eval": Case(EVAL, ("val.jsonl:3: not valid JSON",), edit=(VAL, 2, '{"text": ')),
    "a row that is no JSON, run": Case(RUN, ("val.jsonl:3: not valid JSON",), edit=(VAL, 2, '{"text": ')),
    "a field of another name": Case(
        EVAL,
        ("val.jsonl:1: the input 'text' of agent 'things' is missing", "--map txt=text"),
        edit=(VAL, 0, '{"txt": "a"}'),
    ),
    "a field that the agent does not have": Case(
        ("run", "things", "--input", '{"text": "a", "lang": "en"}'), ("agent 'things' takes text; unknown: lang",)
    ),
    "a label that is none of the choices": Case(
        EVAL,
        ("val.jsonl:1: column 'kind': 'fruits' is no label of 'kind'", "did you mean 'fruit'?"),
        edit=(VAL, 0, '{"text": "a", "kind": "fruits"}'),
    ),
    "a provider that nobody knows": Case((*RUN, "--student", "opnai/gpt-4o"), ("no provider 'opnai'", "openai")),
    "a model without a provider": Case((*EVAL, "--student", "gpt-4o"), ("'gpt-4o'", "openai/gpt-4o")),
    "a teacher without a provider": Case((*OPTIMIZE, "--teacher", "gpt-4o"), ("'gpt-4o'", "openai/gpt-4o")),
    "no key": Case((*RUN, *STUDENT), ("openai needs a key", "set OPENAI_API_KEY")),
    "no key, optimize": Case((*OPTIMIZE, "--teacher", "openai/teacher"), ("openai needs a key", "set OPENAI_API_KEY")),
    "a wrong key": Case((*RUN, *STUDENT), ("the key in OPENAI_API_KEY", "401"), environment=openai(key="wrong")),
    "a wrong key, eval": Case((*EVAL, *STUDENT), ("the key in OPENAI_API_KEY", "401"), environment=openai(key="wrong")),
    "a wrong key, optimize": Case(
        (*OPTIMIZE, *STUDENT), ("the key in OPENAI_API_KEY", "401"), environment=openai(key="wrong")
    ),
    "a folder that cannot be written": Case(
        (*OPTIMIZE, "--out", NOWHERE), (f"{NOWHERE}: nothing can be written there", "choose another with --out")
    ),
    "a recording that cannot be written": Case(
        (*OPTIMIZE, "--record", NOWHERE), (f"{NOWHERE}: no recording can be written there", "name another folder")
    ),
    "a recording that could not be written, dry run": Case(
        (*OPTIMIZE, "--record", NOWHERE, "--dry-run"), (f"{NOWHERE}: nothing can be written there", "--record")
    ),
    "a recording's folder with something else in it, dry run": Case(
        (*OPTIMIZE, "--record", "things", "--dry-run"), ("things is not empty and no recording", "name a new folder")
    ),
    "nothing at once": Case(
        (*RUN, "--concurrency", "0"), ("--concurrency 0: it must be a whole number above 0; leave it out for 8",)
    ),
    "a setting out of its range": Case((*OPTIMIZE, "--steps", "-1"), ("steps is -1; it must be 0 or more",)),
    "a share above 1": Case((*OPTIMIZE, "--lr", "7"), ("lr is 7.0; it must be at most 1",)),
    "a price list that is not there": Case(
        (*RUN, *STUDENT),
        ("AGENTSYM_PRICES", "none.yaml cannot be read"),
        2,
        None,
        (*openai(), ("AGENTSYM_PRICES", "none.yaml")),
    ),
    "a store that cannot be written": Case(
        OPTIMIZE,
        (f"{NOWHERE}: the folder of the store cannot be made", "AGENTSYM_HOME"),
        1,
        None,
        (("AGENTSYM_HOME", NOWHERE),),
    ),
    "a server that cannot be reached": Case(
        (*RUN, *STUDENT), ("http://127.0.0.1:9/v1", "cannot be reached"), 1, None, openai("http://127.0.0.1:9/v1")
    ),
    "a server that cannot be reached, eval": Case(
        (*EVAL, *STUDENT), ("http://127.0.0.1:9/v1", "cannot be reached"), 1, None, openai("http://127.0.0.1:9/v1")
    ),
    "a server that cannot be reached, optimize": Case(
        (*OPTIMIZE, *STUDENT), ("http://127.0.0.1:9/v1", "cannot be reached"), 1, None, openai("http://127.0.0.1:9/v1")
    ),
    "a metric that fails on every row": Case(
        (*OPTIMIZE, "--metric", "broken.py:broken"),
        ("failed on row", "(val.jsonl:1): KeyError: 'label' (at broken.py:2); it failed on every row (18 of 18)"),
    ),
    "a metric that fails on every row, eval": Case(
        (*EVAL, "--metric", "broken.py:broken"),
        ("(val.jsonl:1): KeyError: 'label' (at broken.py:2); it failed on every",),
    ),
    "a cap in dollars on a model without a price": Case(
        (*RUN, *STUDENT, "--max-usd", "1"),
        ("nobody knows the price of openai/student", "AGENTSYM_PRICES"),
        environment=openai(),
    ),
    "caps that cannot pay the first step": Case(
        (*OPTIMIZE, "--max-calls", "5"), ("cannot pay the first step: it needs 72 model calls",)
    ),
    **{
        f"{flag} {value}, {command[0]}": Case(
            (*command, flag, value), (f"{flag} {value}: it must be a", "number above 0; leave it out for no cap")
        )
        for flag, value in CAPS
        for command in (OPTIMIZE, RUN, EVAL)
        if value == "0" or command is OPTIMIZE
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(classroom(), key="right") as server:
        yield server


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a request again at once, so that a server which is not there is given up in no time."""
    monkeypatch.setattr("agentsym.models.door.RetryPolicy", lambda: RetryPolicy(first=0.001))


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_a_mistake_is_said_in_one_line(case: Case, call: Call, place: Path, server: Server) -> None:
    (place / "broken.py").write_text(BROKEN)
    if case.edit is not None:
        file, number, line = case.edit
        lines = (place / file).read_text().splitlines()
        (place / file).write_text("\n".join([*lines[:number], line, *lines[number + 1 :]]))
    environment = {name: value.format(url=server.base_url) for name, value in case.environment}
    done = call(*case.args, **environment)
    check(done, case.code, *case.said)
    as_json = call(*case.args, "--json", **environment)
    check(as_json, case.code, *case.said)
    assert as_json.json["error"] == done.err.splitlines()[-1].removeprefix("error: ")


def check(done: Result, code: int, *said: str) -> None:
    """Check that a command ended with one line that says this, and nothing that only a programmer reads."""
    assert done.code == code, done
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert errors == done.err.splitlines()[-1:], done.err
    for part in said:
        assert part in errors[0]
    assert "Traceback" not in done.out + done.err
