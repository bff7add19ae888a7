"""The one place that prints for a person or a program: every line of its own, nothing in it obeyed by a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from reconcile.errors import SyncError
from terminal.signs import one_line


@dataclass(slots=True)
class Signature:
    """Who speaks, before each line of a command that was told to be quiet: what it prints is read in a mail, beside
    other lines. `run_id` is empty as long as there is no run."""

    program: str
    run_id: str = ""

    def before(self, line: str) -> str:
        """The line with the time, the command and the run."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return f"{now} {self.program} run {self.run_id or '-'}: {line}"


_signature: ContextVar[Signature | None] = ContextVar("signature", default=None)


@contextmanager
def signing(signature: Signature | None) -> Iterator[None]:
    """Sign every line that is printed inside; none without a signature."""
    token = _signature.set(signature)
    try:
        yield
    finally:
        _signature.reset(token)


def current_signature() -> Signature | None:
    """What signs the lines of this command, if anything does."""
    return _signature.get()


def say(*lines: str, error: bool = False, color: str | None = None) -> None:
    """Print lines, to stderr if it is an error; what stands in one of them cannot begin another. Nothing of none."""
    if not lines:
        return
    shown, signature = [one_line(line) for line in lines], _signature.get()
    text = "\n".join(shown if signature is None else map(signature.before, shown))
    click.echo(click.style(text, fg=color) if color else text, err=error)


def say_error(failed: SyncError) -> None:
    """Print what an error says on stderr: its sentence, or its list."""
    sentence = f"error: {failed}"
    say(*(sentence.split("\n") if failed.listed else [sentence]), error=True)


def say_json(found: dict[str, Any]) -> None:
    """Print one JSON object, in ASCII."""
    click.echo(json.dumps(found, default=str).replace("\x7f", "\\u007f"))
