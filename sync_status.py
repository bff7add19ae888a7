"""The operator's window: what happened, what is open and how to settle it, and how to take a run back.

python sync_status.py                    # one screen: is everything all right, and what to do next
python sync_status.py history            # the runs; history RUN, --item, --row, --field
python sync_status.py todo               # everything open, each with the command that settles it
python sync_status.py COMMAND -h         # what a command can do
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from options import CONTEXT_SETTINGS
from terminal.streams import make_streams_safe

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "history": ("status.history:command", "The runs; what one wrote; the life of an item or a cell."),
    "todo": ("status.todo:command", "Everything open, each with what settles it."),
    "conflicts": ("status.conflicts:command", "What both sides changed, and who won."),
    "undo": ("status.undo:command", "Take back what a run changed, on both sides."),
    "metrics": ("status.metrics:command", "Gauges for Prometheus."),
    "show": ("status.plans:show", "A saved plan, every change of it."),
    "diff": ("status.plans:diff", "What two saved plans differ in."),
}
"""Name → (module and name of the command, what the help says of it), in the order of the help."""

_EPILOG: Final = (
    "Without a command: one screen of how things stand. Exit codes: 0 fine, 1 a bug, 2 usage or settings, 4 refused, "
    "nothing written, 5 something needs a person, 6 a run is at work, 7 monday.com or the database cannot be reached, "
    "or --max-age is passed."
)


class _Window(click.Group):
    """Loads the module of a command when it is called for, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_place, says) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {args[0]}: {hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Window, invoke_without_command=True, context_settings=CONTEXT_SETTINGS, epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")
@click.option("--demo", is_flag=True, help="Look at the made-up boards and the local database of --demo.")
@click.option("--max-age", metavar="AGE", help="End with 7 where a direction or a complete read is older, such as 2h.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """See what the sync did and what is open, and take a run back."""
    if ctx.invoked_subcommand is not None:
        if any(given.values()):
            raise click.UsageError(f"Options stand after the command: {ctx.invoked_subcommand} …")
        return
    from status.overview import show

    show(**given)


if __name__ == "__main__":
    make_streams_safe()
    command()
