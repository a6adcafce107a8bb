"""What the documentation shows is true: its blocks are run in order, page by page, in an empty folder.

A block of Python or shell that fails, or prints something else than the block of text behind it, fails the page. A
block `text sample` is the output of one training run: its wording is checked, not its figures, but for the gain that
the quickstart promises. Only what installs software or trains for a minute is left out; `SKIPPED` says what and why.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentsym.errors import SandboxError
from agentsym.runtime.sandbox.find import find_sandbox
from evals.openai_server import Server
from evals.openai_server.brains import BRAINS

ROOT = Path(__file__).parents[2]
RUN = (
    "README.md",
    "docs/quickstart.md",
    "docs/low_level.md",
    "docs/metrics.md",
    "docs/choices.md",
    "docs/concepts.md",
    "docs/models.md",
    "docs/learned_tools.md",
    "docs/reports.md",
    "docs/telemetry.md",
    "docs/mcp.md",
    "docs/traces.md",
)
SANDBOXED = "docs/learned_tools.md"  # it runs code that is learned
PAGES = (
    *RUN,
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/dashboard.md",
    "docs/deploy.md",
    "docs/evolution.md",
    "docs/other_frameworks.md",
    "docs/scale.md",
    "docs/serving.md",
    "CHANGELOG.md",
)
SKIPPED = {
    "pip ": "it installs packages; tests/test_packaging.py builds the wheel and looks into it",
    "python3 -m venv ": "it makes an environment; the tests run in one",
    "make ": "it trains for a minute or runs these tests; that its targets exist is checked below",
}
FENCE = re.compile(r"^```([\w ]*)$")
NAMED = re.compile(r"^`([\w./-]+)`:$")
HEADLINE = re.compile(r"maintenance: (0\.\d+) → (0\.\d+) on 20 test rows")
LEARNED = (  # what another machine or a better teacher may make different
    (re.compile(r"“.*”"), "“.*”"),
    (re.compile(r"\{.*\}"), r"\{.*\}"),
    (re.compile(r"\b(?:accepted|rejected)\b"), "(?:accepted|rejected)"),
    (re.compile(r"\b(?:rises|stays|drops)\b"), "(?:rises|stays|drops)"),
    (re.compile(r"\b(?:True|False)\b"), "(?:True|False)"),
    (re.compile(r"`\w+`"), r"`\w+`"),
    (re.compile(r"\b[re][0-9a-f]{8}\b"), "[re][0-9a-f]{8}"),  # the id of a rule or an example
    (re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?"), r"[+-]?\d[\d,]*(?:\.\d+)?"),
)
VOLATILE = (
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), r"\d{8}-\d{6}-[0-9a-f]{4}"),  # a run
    (re.compile(r"\b(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d+)? s\b"), r"[\d.hmins ]+"),  # how long something took
)


class Block(NamedTuple):
    """A fenced block of a page: where it stands, its language, the line before it and its text."""

    page: str
    line: int
    language: str
    before: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found: list[Block] = []
    lines = (ROOT / page).read_text("utf-8").split("\n")
    before, at = "", 0
    while at < len(lines):
        if match := FENCE.match(lines[at]):
            end = lines.index("```", at + 1)
            found.append(Block(page, at + 1, match[1], before, "\n".join(lines[at + 1 : end])))
            at = end
        elif lines[at].strip():
            before = lines[at].strip()
        at += 1
    return found


class Reader:
    """Does what a reader of one page does: writes its files, runs its blocks, compares what they print.

    Args:
        folder: where to work.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "__docs__"}
        self.printed: str | None = None

    def follow(self, block: Block) -> None:
        """Do what one block asks for."""
        match block.language:
            case "csv":
                named = NAMED.match(block.before)
                assert named, f"{block.place}: the line before a csv block must name its file: `name.csv`:"
                self._write(named[1], block)
            case "python" if (first := block.text.split("\n", 1)[0]).startswith("# ") and first.endswith(".py"):
                self._write(first.removeprefix("# "), block)
            case "python":
                self.printed = self._python(block)
            case "sh":
                self.printed = self._shell(block)
            case "text" | "text sample":
                if self.printed is not None:
                    require_shown(block, self.printed)
                    require_gain(block, self.printed)
            case language:
                assert language in ("mermaid", "yaml", "json"), f"{block.place}: what is a block of {language!r}?"

    def _write(self, name: str, block: Block) -> None:
        (self._folder / name).write_text(block.text + "\n", "utf-8")

    def _python(self, block: Block) -> str:
        code = compile("\n" * block.line + block.text, str(ROOT / block.page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self._names)
        return printed.getvalue()

    def _shell(self, block: Block) -> str | None:
        lines = [line for line in block.text.split("\n") if not line.startswith(tuple(SKIPPED))]
        if not any(lines):
            return None
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=self._folder,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
        )
        printed = done.stdout.decode()
        assert done.returncode == 0, f"{block.place}: exit code {done.returncode}\n{printed}"
        return printed


def require_shown(block: Block, printed: str) -> None:
    """Check that the lines of a text block were printed; `…` stands for anything.

    They must come in this order, in a sample in any.
    """
    is_sample = block.language == "text sample"
    actual = [_squeezed(line) for line in printed.split("\n")]
    rest = iter(actual)
    for line in filter(None, map(_squeezed, block.text.split("\n"))):
        if line != "…":
            wanted = re.compile(_pattern(line, (*VOLATILE, *LEARNED) if is_sample else VOLATILE))
            assert any(map(wanted.fullmatch, actual if is_sample else rest)), (
                f"{block.place}: this line was not printed (or not in this order): {line!r}; printed was\n{printed}"
            )


def require_gain(block: Block, printed: str) -> None:
    """Check that a gain that a sample shows is still there, if not to the digit."""
    if promised := HEADLINE.search(block.text):
        measured = HEADLINE.search(printed)
        assert measured, f"{block.place}: no gain was printed"
        said, found = float(promised[2]), float(measured[2])
        assert found >= float(measured[1]) + 0.2, f"{block.place}: {measured[0]} is no gain worth showing"
        assert abs(said - found) <= 0.2, f"{block.place}: it says {promised[0]}, now it is {measured[0]}"


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str, kinds: Sequence[tuple[re.Pattern[str], str]]) -> str:
    """Return a pattern for a printed line, in which what is of one of the kinds may be anything of its kind."""
    pattern, at = "", 0
    found = sorted((m.start(), -m.end(), kind) for known, kind in kinds for m in known.finditer(line))
    for start, minus_end, kind in found:
        if start >= at:
            pattern += re.escape(line[at:start]) + kind
            at = -minus_end
    return (pattern + re.escape(line[at:])).replace("…", ".*")


def find_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs that a page starts be those of this environment, as for a reader who has activated it."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; README.md is read in a checkout, so `docs` lies in it too."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    find_ours(monkeypatch)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider's double: whatever model a page names there is the embedded reader behind real HTTP."""
    with Server(BRAINS["reader"]()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", RUN)
def test_a_page_does_what_it_says(page: str, folder: Path, provider: None) -> None:
    if page == SANDBOXED:
        try:
            find_sandbox()
        except SandboxError as error:
            pytest.skip(f"its tool's code runs in a sandbox only: {error}")
    reader = Reader(folder)
    for block in blocks(page):
        reader.follow(block)


def test_the_first_two_commands_of_the_readme_are_demo_and_check() -> None:
    lines = [line for block in blocks("README.md") if block.language == "sh" for line in block.text.split("\n")]
    assert lines[:2] == ["make demo", "make check"]


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_are_named_exist(page: str) -> None:
    targets = set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = set(re.findall(r"(?m)(?:^|`)make ([\w-]+)", (ROOT / page).read_text("utf-8")))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            titles = re.findall(r"(?m)^#+ (.+)$", file.read_text("utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_rows_of_the_quickstart_are_those_of_the_file_that_the_readme_uses() -> None:
    shown = next(b.text for b in blocks("docs/quickstart.md") if b.before == "`tickets.csv`:")
    assert shown + "\n" == (ROOT / "docs/tickets.csv").read_text("utf-8")


def test_the_floors_of_the_architecture_page_are_the_packages_that_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8").partition("## Not built yet")
    named = set(re.findall(r"(?m)^\| `([\w./]+)` \|", page[0]))
    packages = {f"{path.parent.name}/" for path in (ROOT / "agentsym").glob("*/__init__.py")}
    modules = {path.name for path in (ROOT / "agentsym").glob("*.py")} - {"__init__.py"}
    assert named & {f"{name}/" for name in named} == set()
    assert packages | modules <= named
    assert not {name for name in named if name.endswith("/")} - packages


def test_the_architecture_page_knows_every_kind_of_event() -> None:
    source = "\n".join((ROOT / "agentsym/learning" / name).read_text("utf-8") for name in ("journal.py", "trainer.py"))
    kinds = set(re.findall(r'(?:\.write|\.phase)\(\s*"(\w+)"', source)) | {"trajectory", "forward"}
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    assert kinds <= set(re.findall(r"(?m)^\| `(\w+)` \|", page))


def test_the_agent_of_the_architecture_page_is_what_a_saved_one_looks_like(tmp_path: Path) -> None:
    from agentsym import Agent

    (yaml,) = (block.text for block in blocks("docs/architecture.md") if block.language == "yaml")
    (tmp_path / "agent.yaml").write_text(yaml + "\n", "utf-8")
    saved = Agent.load(tmp_path).save(tmp_path / "saved") / "agent.yaml"
    assert saved.read_text("utf-8") == yaml + "\n"
