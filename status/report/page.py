"""The figures as one HTML file: everything in it is escaped by the template engine, unless it was drawn here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from status.report import charts
from status.report.days import ACTIONS
from status.report.shown import Figures, percent
from terminal.signs import one_line

BEGINS: Final = "<!doctype html>\n<!-- monday-pg-sync report -->\n"
"""What tells a report from every other page."""
LONGEST: Final = 160
"""Signs of one value that the page shows; of a longer one it says how long it is."""
FIRST: Final = 8
"""Entries of a long list that are open to the eye; the others are there when they are asked for."""
_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_TEMPLATES: Final = Path(__file__).resolve().parent / "templates"


def render(figures: Figures) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"told": told, "number": "{:,}".format, "percent": percent}
    page = environment.get_template("report.html").render(
        f=figures,
        css=environment.loader.get_source(environment, "report.css")[0] if environment.loader else "",
        stacked=charts.stacked,
        lines=charts.lines,
        first=FIRST,
        seconds="{:,g} s".format,
        actions=ACTIONS,
    )
    return BEGINS + page.lstrip() + "\n"


def told(value: str, longest: int = LONGEST) -> str:
    """A text from a board, a row or a run, in one line: signs that a browser would obey are written as numbers.

    >>> told("a\\u202eb"), told("x" * 500, 10)
    ('a\\\\u202eb', 'xxxxxxxxxx… (500 signs)')
    """
    text = one_line(_BLANKS.sub(" ", value).strip())
    return text if len(text) <= longest else f"{text[:longest]}… ({len(value):,} signs)"
