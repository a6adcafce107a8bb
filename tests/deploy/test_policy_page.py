"""The page on evolution shows the whole policy with its defaults."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from agentsym.deploy.policy import Policy, checked_policy

PAGE = Path(__file__).parents[2] / "docs" / "evolution.md"


def test_the_policy_on_the_page_is_the_default_one() -> None:
    (shown,) = re.findall(r"```yaml\n(traces:.*?)```", PAGE.read_text(), flags=re.S)
    assert checked_policy(yaml.safe_load(shown), "the page") == Policy()
