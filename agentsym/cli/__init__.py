"""The command line: `agentsym …`, one file a command.

Commands import what they need when they run, so that `agentsym --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from agentsym.cli import diff, doctor, evolve, mcp, new, optimize, run, runs, serve, show, tokens, traces
from agentsym.cli import eval as evaluation
from agentsym.cli.screen import guarded, silence
from agentsym.cli.telemetry import exporting
from agentsym.errors import RunStopped

__all__ = ["app"]


class _Commands(TyperGroup):
    """The commands, with our way to say that something went wrong."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run one command and exit with its code."""
        given = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        run = super().main
        sys.exit(guarded(lambda: run(given, *rest, **extra), as_json="--json" in given))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; typer would swallow a Ctrl-C that no command has seen to, and fail where a pipe closes."""
        try:
            with exporting():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise RunStopped("interrupted; nothing was saved") from error
        except BrokenPipeError:
            silence(sys.stdout)
            return 0


app = typer.Typer(
    name="agentsym",
    cls=_Commands,
    help="Agents that learn: networks whose weights are text and code, trained on examples.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is there in a third of the time
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"agentsym {version('agentsym')}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Agents that learn: networks whose weights are text and code, trained on examples."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


app.command("optimize")(optimize.optimize)
app.command("run")(run.run)
app.command("eval")(evaluation.evaluate)
app.command("show")(show.show)
app.command("diff")(diff.diff)
app.command("new")(new.new)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.add_typer(runs.app, name="runs")
app.add_typer(evolve.app, name="evolve")
app.add_typer(tokens.app, name="tokens")
app.add_typer(traces.app, name="traces")
