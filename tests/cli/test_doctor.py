"""`agentsym doctor` says what is there and what is missing, and shows no key."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.cli.conftest import Call

KEY = "sk-nobody-may-see-this"


def test_doctor_says_what_is_installed_and_where_data_lie(call: Call, clean_environment: Path) -> None:
    done = call("doctor", "--json")
    assert done.code == 0
    assert done.json["agentsym"] == version("agentsym")
    assert done.json["extras"]["data"]["pyarrow"] == version("pyarrow")
    assert "dev" not in done.json["extras"]
    store = done.json["store"]
    assert store["path"] == str(clean_environment / "agentsym" / "agentsym.db")
    assert (store["exists"], store["writable"]) == (False, True)
    assert not (clean_environment / "agentsym").exists()
    assert done.json["cache"]["path"].startswith(str(clean_environment))


def test_doctor_names_the_keys_that_are_set_and_never_their_values(call: Call) -> None:
    for arguments in (("doctor", "--json"), ("doctor",)):
        done = call(*arguments, OPENAI_API_KEY=KEY, MISTRAL_API_KEY=" ")
        assert "OPENAI_API_KEY" in done.out and "MISTRAL" not in done.out
        assert KEY not in done.out + done.err
    assert call("doctor", "--json").json["keys"] == {}


def test_doctor_says_why_the_store_cannot_be_written(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = call("doctor", "--json", AGENTSYM_HOME=str(tmp_path / "file")).json["store"]
    assert (store["writable"], store["problem"]) == (False, f"{tmp_path / 'file'} is no folder")


def test_doctor_gives_a_reason_for_each_level_of_the_sandbox_that_is_missing(call: Call) -> None:
    sandbox = call("doctor", "--json").json["sandbox"]
    assert [level["level"] for level in sandbox["levels"]] == ["bubblewrap", "kernel", "docker"]
    for level in sandbox["levels"]:
        assert level["works"] == (not level["reason"])
    assert sandbox["level"] == next((level["level"] for level in sandbox["levels"] if level["works"]), None)


def test_doctor_on_a_narrow_terminal_tells_people_the_same(call: Call) -> None:
    done = call("doctor", COLUMNS="60")
    assert done.code == 0
    for word in ("agentsym", "Python", "extra local", "keys", "store", "cache", "sandbox", "bubblewrap", "docker"):
        assert word in done.out


def test_doctor_loads_nothing_that_takes_long() -> None:
    program = "import sys\nfrom agentsym.cli.doctor import doctor\ndoctor(True)\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"torch", "litellm", "langgraph", "sklearn", "pandas", "pyarrow"}.isdisjoint(done.stderr.split())
