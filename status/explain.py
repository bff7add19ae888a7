"""`explain ITEM`: why the values of one item are where they are, and what the next runs will do about them."""

from __future__ import annotations

import click

from options import CONTEXT_SETTINGS
from reconcile.errors import Exit
from status.lists import Format, list_options
from status.picking import ItemId
from status.window import ending, opened


@click.command(context_settings=CONTEXT_SETTINGS, short_help="Why a value is not there: one item, both sides.")
@click.argument("item_id", metavar="ITEM", type=ItemId())
@click.option("--offline", is_flag=True, help="Ask monday.com nothing: go by what the item showed last.")
@click.option("--all", "every_one", is_flag=True, help="Show cells that are empty on both sides, too.")
@list_options
@ending
def command(*, item_id: int, offline: bool, every_one: bool, form: Format, as_json: bool, demo: bool) -> Exit:
    """Of each cell of an item (its number, or its address in the browser): what monday shows, what PostgreSQL holds,
    what both last agreed on, what the next pull and the next push will do, and why. One call of the day.
    """
    from status.explain_page import show
    from status.item import look_at

    with opened(demo=demo, monday=not offline) as window:
        show(look_at(window, item_id, offline=offline), window, form, every_one=every_one, offline=offline)
    return Exit.DONE
