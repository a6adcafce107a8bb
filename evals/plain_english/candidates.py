"""What the teacher's double can think of: every case with everything that could be done in it, and platitudes.

Less than a quarter of the ideas help. Most others do nothing, some break what works, and nothing here says which.
"""

from __future__ import annotations

from collections.abc import Mapping

from evals.plain_english.meanings import ALWAYS, OPERATIONS, SOLVE_CASES, Meaning, Step

_UNITS: Mapping[str, tuple[int | str, ...]] = {
    "dozen": (6, 10, 12, 20, "ignore"),
    "pair": (2, 3, 4, 10, "ignore"),
    "hours": (24, 30, 60, 100, "ignore"),
}

IDEAS: Mapping[Step, tuple[Meaning, ...]] = {
    "read": (
        *(Meaning(case, action) for case in ("unused", "ages", "words") for action in ("ignore", "count")),
        *(Meaning(case, action) for case, actions in _UNITS.items() for action in actions),
        *(Meaning(case, "ignore") for case in ("prices", "small")),
    ),
    "solve": tuple(Meaning(case, operation) for case in (*SOLVE_CASES, ALWAYS) for operation in OPERATIONS),
}
"""Step → the rules that it could be given."""
PLATITUDES: Mapping[Step, tuple[str, ...]] = {
    "read": (
        "Read the problem twice before you answer.",
        "Be thorough and precise.",
        "Stay close to the text.",
        "Work slowly, as mistakes happen fast.",
        "Keep the order of the text.",
        "Think about what the problem is about.",
        "Make sure that nothing is wrong.",
        "Pay attention to details.",
    ),
    "solve": (
        "Think step by step.",
        "Check the result before you give it.",
        "Be careful with large numbers.",
        "Make sure that the answer makes sense.",
        "Answer with a number only.",
        "Look at the question again at the end.",
        "Do the sums in your head with care.",
        "Be confident.",
    ),
}
"""Step → advice that any prompt could be given, and that changes nothing."""
