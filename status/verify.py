"""`verify`: reads both boards whole, and proves cell by cell that both sides agree, or says why they do not."""

from __future__ import annotations

from typing import Final

import click

from options import BOARDS, CONTEXT_SETTINGS
from reconcile.errors import Exit
from status.lists import Format, list_options
from status.window import ending, opened

_EPILOG: Final = (
    "Exit codes: 0 nothing is unexplained, 5 something is, 2 usage or settings, 3 a board or table is not what the "
    "mapping says, 7 monday.com or the database cannot be reached."
)


@click.command(
    context_settings=CONTEXT_SETTINGS, epilog=_EPILOG, short_help="Prove cell by cell that both sides agree."
)
@click.option("--board", type=click.Choice(BOARDS), help="Only this board (default: both).")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N items of each board.")
@click.option("--use-cache", is_flag=True, help="Compare with each board's newest saved read; no network.")
@click.option("--all", "every_one", is_flag=True, help="List every difference, not the first hundred of each cause.")
@list_options
@ending
def command(
    *, board: str | None, limit: int | None, use_cache: bool, every_one: bool, form: Format, as_json: bool, demo: bool
) -> Exit:
    """Prove that both sides agree, cell by cell, by a way of its own.

    Every cell is decoded and compared with the column to which the tables' own foreign keys lead. What differs gets its
    cause from what is remembered; what nothing accounts for is unexplained. Nothing is written.
    """
    from postgres.window_items import read_items, read_present
    from reconcile.verify import Cause
    from run.memory import tune_allocator
    from run.progress import Progress
    from settings import color_refused
    from status.proof import Asked, prove
    from status.verify_page import show
    from terminal.say import say

    tune_allocator()
    asked = Asked((board,) if board else BOARDS, limit, use_cache, every_one)
    with (
        opened(demo=demo, monday=not use_cache) as window,
        Progress(quiet=form != "table", plain=color_refused()) as progress,
    ):
        items = window.read(lambda tx: read_items(tx, read_present(tx), window.board_ids, ()), "looking at the boards")
        proof = prove(window, asked, lambda text: say(text, error=True), progress)
        code = Exit.PERSON_NEEDED if proof.of(Cause.UNEXPLAINED) else Exit.DONE
        show(proof, items, window, form, code)
    return code
