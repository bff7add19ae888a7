"""How a command ends before a run began: by a wrong option, or with a list in place of a run. Nothing but click is
imported before that happens, so that `--help` answers at once.
"""

from __future__ import annotations

from typing import Any

import click

from reconcile.errors import Exit


class SignedError(click.UsageError):
    """Wrong options of a quiet command: one line, with time and command like all that it prints."""

    def __init__(self, program: str, error: click.UsageError) -> None:
        super().__init__(error.message, error.ctx)
        self._program, self._error = program, error

    def show(self, file: Any = None) -> None:
        from terminal.say import Signature, say, signing

        with signing(Signature(self._program)):
            say(f"error: {self._error.format_message()}", error=True)


class JsonCommand(click.Command):
    """A command whose wrong options, too, are one JSON object on stdout where `--json` was asked for, and one line
    where it was told to be quiet."""

    def __init__(self, *args: Any, direction: str, program: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.direction, self.program = direction, program

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        wanted = "--json" in args or self._in_environment("json")
        quiet = not {"--quiet", "-q"}.isdisjoint(args) or self._in_environment("quiet")
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            self._say(error, wanted=wanted)
            raise self._signed(error, quiet=quiet) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            self._say(error, wanted=bool(ctx.params.get("json")))
            raise self._signed(error, quiet=bool(ctx.params.get("quiet"))) from None

    def _signed(self, error: click.UsageError, *, quiet: bool) -> click.UsageError:
        return SignedError(self.program, error) if quiet else error

    def _in_environment(self, name: str) -> bool:
        option = next(param for param in self.params if param.name == name)
        try:
            with click.Context(self) as ctx:
                return bool(option.type_cast_value(ctx, option.value_from_envvar(ctx)))
        except click.UsageError:
            return False

    def _say(self, error: click.UsageError, *, wanted: bool) -> None:
        if wanted:
            print_unmade(self.direction, error.format_message())


def print_unmade(direction: str, reason: str = "", *, code: Exit = Exit.USAGE, **more: Any) -> None:
    """The object of `--json` with everything zero: there was no run. `more` are keys beside those of every run."""
    from run.report import ItemsReport, Report
    from terminal.say import say_json

    report = Report("", direction, dry_run=False, items=ItemsReport() if direction == "pg_to_monday" else None)
    report.fail(code, reason)
    say_json(report.as_json() | more)
