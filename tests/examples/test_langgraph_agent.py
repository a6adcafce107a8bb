"""The agent of another framework: it stands on its own, is optimized over real HTTP, and takes its prompts home.

The page `docs/other_frameworks.md` is followed block by block in a copy of the example, with a double of the models
behind the address that graph and teacher find in the environment.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from evals.openai_server import Server
from tests.docs.test_docs import Reader, blocks, find_ours
from tests.examples.brain import CITE, TELL, brain

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "langgraph_agent"
PAGE = "docs/other_frameworks.md"
EXCERPT = re.compile(r"^From `([\w.]+)`:$")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example to work in."""
    copy = tmp_path / "langgraph_agent"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(copy)
    return copy


def test_the_page_optimizes_the_graph_which_then_answers_better_where_agentsym_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = yaml.safe_load((folder / "prompts.yaml").read_text("utf-8"))
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "agentsym.py").write_text("raise ImportError('agentsym is not installed here')\n", "utf-8")
    asked = 0
    with Server(brain, key="secret") as server:
        find_ours(monkeypatch)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("OPENAI_MODEL", raising=False)
        reader = Reader(folder)
        for block in (block for block in blocks(PAGE) if not EXCERPT.match(block.before)):
            with monkeypatch.context() as patch:
                if block.text.startswith("python graph.py"):
                    asked = server.stats.by_model["gpt-4o-mini"].answered
                    patch.setenv("PYTHONPATH", str(elsewhere))
                reader.follow(block)
    assert server.stats.errors == [] and server.stats.refused == 0
    promised = re.search(r"= (\d+) runs, of two calls each", (ROOT / PAGE).read_text("utf-8"))
    assert promised and 0 < asked <= 2 * int(promised[1])

    report = json.loads((folder / "better" / "report.json").read_text("utf-8"))
    assert report["accepted"] >= 2
    assert report["val"]["after"] >= report["val"]["before"] + 0.3

    learned = yaml.safe_load((folder / "prompts.yaml").read_text("utf-8"))
    (node,) = yaml.safe_load((folder / "better" / "agent.yaml").read_text("utf-8"))["nodes"]
    assert {name: text["value"] for name, text in node["parameters"].items()} == learned
    assert learned.keys() == before.keys()
    assert TELL in learned["writer"] and CITE in learned["writer"] and "\n- cleaning: " in learned["router"]


def test_the_page_shows_the_example_as_it_is() -> None:
    shown = [block for block in blocks(PAGE) if block.language == "python"]
    for block in shown:
        if match := EXCERPT.match(block.before):
            assert block.text in (EXAMPLE / match[1]).read_text("utf-8")
        elif match := re.match(r"# (\w+\.py)\n", block.text):
            assert block.text.removeprefix(match[0]) in (EXAMPLE / match[1]).read_text("utf-8")


def test_the_graph_imports_nothing_of_agentsym() -> None:
    tree = ast.parse((EXAMPLE / "graph.py").read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= {
        *sys.stdlib_module_names, "langchain_core", "langchain_openai", "langgraph", "pydantic", "yaml"
    }  # fmt: skip


def test_each_row_asks_for_words_of_the_article_that_it_names() -> None:
    articles = yaml.safe_load((EXAMPLE / "articles.yaml").read_text("utf-8"))
    asked: list[str] = []
    for name, count in {"train": 30, "val": 15, "test": 15}.items():
        rows = [json.loads(line) for line in (EXAMPLE / "data" / f"{name}.jsonl").read_text("utf-8").splitlines()]
        assert len(rows) == count
        for row in rows:
            assert row["answer"].lower() in articles[row["shelf"]][row["article"]].lower()
            assert row["answer"].lower() not in row["question"].lower()
        asked += [row["question"] for row in rows]
    assert len(set(asked)) == len(asked)
