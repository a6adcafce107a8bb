"""Single-pass `{{var}}` templates, for the instructions of prompt nodes and for our own prompts.

What is put in is never expanded again and literal braces stay as they are, so neither data nor JSON can break
a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentsym.errors import NetworkError

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def variables(template: str) -> tuple[str, ...]:
    """Return the names that stand in a template, in order of first use."""
    return tuple(dict.fromkeys(_VARIABLE.findall(template)))


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill a template in one pass.

    Raises:
        NetworkError: when a variable has no value.
    """
    missing = [name for name in variables(template) if name not in values]
    if missing:
        raise NetworkError(f"the template needs {', '.join(missing)}, which nobody gives it")
    return _VARIABLE.sub(lambda match: values[match.group(1)], template)
