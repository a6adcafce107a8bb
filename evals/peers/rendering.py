"""The comparison as Markdown, from one machine's rows, to stand between two comments of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from textwrap import fill

from evals.peers.assignment import STEPS, TARGET
from evals.peers.catalog import BARE, ENVIRONMENTS, PEERS
from evals.peers.goals import GOALS
from evals.peers.results import OURS, Results, Row, reached

BEGIN, END = "<!-- peers: begin (written by python -m evals.peers.table) -->", "<!-- peers: end -->"
_WIDTH = 120  # characters of a line of prose
_CAUTION = (
    "The programs behind the server reward small additive edits that answer visible failures. The figures say nothing "
    "about the quality of language, and they disfavour MIPROv2 and SIMBA by design: the one shows its optimizer no "
    "failures, the other needs a student whose answers vary."
)


def put(page: str, text: str) -> str:
    """Return a page with new text between the two comments.

    Raises:
        ValueError: the page lacks one of them.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the comparison: it needs the lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n{text.strip()}\n{END}{tail}"


def rendered(results: Results) -> str:
    """Return the whole comparison."""
    latency = results.of("machine")[0]["latency_ms"]
    parts = [
        _machine(results),
        _CAUTION,
        f"Learning to a validation score of {TARGET:g}, plain, {latency:g} ms a call (medians, of calls the range):",
        _plain(results),
        "The same where every kind needs its rule in both nodes (coupled), and where harmful edits come with good ones "
        f"(trojan), without latency; who has not reached it after {STEPS} steps stops there:",
        _modes(results),
        "The forward pass over 500 examples of two calls (50 ms, 32 at once), CPU for one example after the other "
        "(300, no latency), and what 32 equal requests at once become. GEPA and Trace leave the calls to their user; "
        "theirs are OpenAI's client in threads, which keeps and checks nothing:",
        _forward(results),
        "Four runs of the same seed, and what a library weighs:",
        _weight(results),
        "agentsym against its goals:",
        _goals(results),
        *_notes(results),
    ]
    return "\n\n".join(part if part.startswith("|") else fill(part, _WIDTH, break_on_hyphens=False) for part in parts)


def _machine(results: Results) -> str:
    (machine,) = results.of("machine")
    versions = ", ".join(f"{row['peer']} {row['version']}" for row in results.of("environment"))
    return (
        f"One run on one machine: {machine['system']}, {machine['cores']} cores ({machine['cpu']}), Python "
        f"{machine['python']}, load average {machine['load']:g} at its start; {machine['seeds']} seeds (MIPROv2 and "
        f"SIMBA: 1); {versions}. Seeds are the libraries' own, the data is the same for all. Every run is a process of "
        f"its own with cold caches; the server counts calls, tokens "
        f"(a quarter of the characters) and the wall time from the first call to the last."
    )


def _plain(results: Results) -> str:
    head = (
        f"library, settings | reach {TARGET:g} | calls | student / critic / optimizer | tokens | wall s | CPU s | "
        "peak MiB (above imports)"
    )
    return _table(head, (_learned(results, peer.name) for peer in results.learners("plain")))


def _learned(results: Results, name: str) -> list[str]:
    rows = results.of("learn", name, "plain")

    def mid(column: str) -> float:
        return median(row[column] for row in rows)

    roles = f"{mid('student_calls'):.0f} / {_critic(rows):.0f} / {mid('optimizer_calls'):.0f}"
    above = median(row["rss_mib"] - row["import_rss_mib"] for row in rows)
    return [
        _title(name),
        f"{reached(rows) * len(rows):.0f}/{len(rows)}",
        _spread(rows),
        roles,
        f"{mid('tokens'):,.0f}",
        f"{mid('wall_s'):.1f}",
        f"{mid('cpu_s'):.1f}",
        f"{mid('rss_mib'):.0f} ({above:.0f})",
    ]


def _modes(results: Results) -> str:
    modes = ("coupled", "trojan")
    head = "library, settings | " + " | ".join(f"{mode}: reach {TARGET:g} | calls | tokens" for mode in modes)
    names = [peer.name for peer in PEERS.values() if any(results.of("learn", peer.name, mode) for mode in modes)]
    lines = []
    for name in names:
        cells = [_title(name)]
        for mode in modes:
            rows = results.of("learn", name, mode)
            if rows:
                tokens = f"{median(row['tokens'] for row in rows):,.0f}"
                cells += [f"{reached(rows) * len(rows):.0f}/{len(rows)}", _spread(rows), tokens]
            else:
                cells += ["–"] * 3
        lines.append(cells)
    return _table(head, lines)


def _forward(results: Results) -> str:
    names = dict.fromkeys(row["peer"] for row in results.of("forward"))
    lines = []
    for name in names:
        wall, cpu, tokens, asked, memory = (
            results.median("forward", column, name)
            for column in ("wall_s", "cpu_ms_a_call", "tokens", "asked", "rss_mib")
        )
        alone = results.median("overhead", "cpu_ms_a_call", name) if results.of("overhead", name) else None
        sent, ratio = results.of("identical", name), results.beside("wall_s", name, BARE.name)
        lines.append(
            [
                _library(name),
                f"{wall:.2f}",
                "–" if ratio is None else f"{ratio:.2f}",
                f"{cpu:.2f}",
                "–" if alone is None else f"{alone:.2f}",
                f"{tokens / asked:.0f}",
                f"{memory:.0f}",
                f"{sent[0]['calls']}" if sent else "–",
            ]
        )
    head = "library | wall s | × bare | CPU ms a call | one at a time | tokens a call | peak MiB | of 32 equal, sent"
    return _table(head, lines)


def _weight(results: Results) -> str:
    lines = []
    for name in dict.fromkeys(row["peer"] for row in (*results.of("repeat"), *results.of("import"))):
        rows, imported = results.of("repeat", name), results.of("import", name)
        weight, learned = results.of("environment", PEERS[name].environment), results.of("learn", name)
        equal = len({str(row["result"]) for row in rows}) == 1 and len({row["calls"] for row in rows}) == 1
        lines.append(
            [
                PEERS[name].title,
                ", ".join(f"{row['calls']:,}" for row in rows) or "–",
                ("yes" if equal else "no") if rows else "–",
                f"{imported[0]['cpu_s']:.2f}" if imported else "",
                f"{median(row['import_cpu_s'] for row in learned):.1f}" if learned else "–",
                f"{weight[0]['mib']:,}" if weight and imported else "",
                f"{weight[0]['packages']}" if weight and imported else "",
            ]
        )
    head = "library, settings | calls | all equal | CPU s: import | and what learning loads | MiB installed | packages"
    return _table(head, lines)


def _goals(results: Results) -> str:
    lines = []
    for goal in GOALS:
        ours, other = goal.ours(results), goal.other(results)
        if ours is not None:
            shown = [format(value, goal.form) for value in (ours, goal.goal)]
            limit = "–" if goal.limit is None else f"> {goal.limit:{goal.form}}"
            best = "" if other is None else format(other, goal.form)
            lines.append([goal.text, shown[0], best, f"≤ {shown[1]}", limit, goal.verdict(ours)])
    return _table("figure | agentsym | best other | goal | fails where | ", lines)


def _notes(results: Results) -> list[str]:
    """Return a paragraph for each thing that is missing, or must not be taken for a figure."""
    built = {row["peer"] for row in results.of("environment")}
    missing = [name for name in ENVIRONMENTS if name not in built]
    notes = [f"Not built here, so not compared: {', '.join(missing)}."] if missing else []
    notes += [f"**Not valid**: {told}." for told in results.faults()]
    differ = {row["peer"] for row in results.of("learn") if row["val"] != row["val_fresh"]}
    if differ:
        notes.append(f"A fresh validation gave another score than was reported: {', '.join(sorted(differ))}.")
    else:
        notes.append("In every run a fresh validation gave the score that was reported.")
    return notes + [f"**No figure**: {failed.splitlines()[0]}." for failed in results.failures()]


def _table(head: str, lines: Iterable[Sequence[str]]) -> str:
    columns = head.split(" | ")
    rows = [columns, ["---"] * len(columns), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _title(name: str) -> str:
    return f"**{PEERS[name].title}**" if name == OURS else PEERS[name].title


def _library(name: str) -> str:
    peer = BARE if name == BARE.name else PEERS[name]
    return ENVIRONMENTS[peer.environment].title if peer.environment else peer.title


def _critic(rows: Sequence[Row]) -> float:
    return median(row["backward_calls"] + row["loss_calls"] for row in rows)


def _spread(rows: Sequence[Row]) -> str:
    calls = [row["calls"] for row in rows]
    return f"{median(calls):,.0f} ({min(calls):,}–{max(calls):,})"
