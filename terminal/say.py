"""The one place that prints for a person or a program: every line of its own, nothing in it obeyed by a terminal."""

from __future__ import annotations

import json
from typing import Any

import click

from reconcile.errors import SyncError
from terminal.signs import one_line


def say(*lines: str, error: bool = False, color: str | None = None) -> None:
    """Print lines, to stderr if it is an error; what stands in one of them cannot begin another. Nothing of none."""
    if not lines:
        return
    text = "\n".join(map(one_line, lines))
    click.echo(click.style(text, fg=color) if color else text, err=error)


def say_error(failed: SyncError) -> None:
    """Print what an error says on stderr: its sentence, or its list."""
    sentence = f"error: {failed}"
    say(*(sentence.split("\n") if failed.listed else [sentence]), error=True)


def say_json(found: dict[str, Any]) -> None:
    """Print one JSON object, in ASCII."""
    click.echo(json.dumps(found, default=str).replace("\x7f", "\\u007f"))
