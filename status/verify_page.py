"""What `verify` prints: what was compared, the differences counted by cause, and each that is listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import UNSET

from models import UNREADABLE
from postgres.window_items import Items
from reconcile.errors import Exit
from reconcile.verify import Cause, Difference
from status.lists import Column, Format, Listing, show_list
from status.proof import BoardProof, Proof
from status.window import Window
from terminal.contrast import shortened
from terminal.page import page_width, table, wrapped
from terminal.say import say

_ORDER: Final = (
    Cause.UNEXPLAINED,
    Cause.CONFLICT,
    Cause.SET_ASIDE,
    Cause.TAKE,
    Cause.SEND,
    Cause.TOLERATED,
)
_VALUE: Final = 30
"""Signs of a value that a table shows."""


def show(proof: Proof, items: Items, window: Window, form: Format, code: Exit) -> None:
    """Print it on stdout."""
    if form == "table":
        say(*_head(proof, page_width()))
    told = _ordered(proof)
    listing = Listing(
        columns=_COLUMNS,
        rows=[_row(one, items, window) for one in told],
        total=sum(proof.counts.values()),
        more=window.command("verify --all"),
        empty="nothing differs",
        facts=_facts(proof),
        above=_headings(told, proof),
        below={number: [one.why[:1].upper() + one.why[1:]] for number, one in enumerate(told)},
    )
    show_list(listing, form, code=code)
    if form == "table":
        say("", *_foot(proof, page_width()))


def _ordered(proof: Proof) -> list[Difference]:
    return sorted(
        proof.listed, key=lambda told: (_ORDER.index(told.cause), told.board, told.item_id or 0, told.field, told.kind)
    )


def _value(value: Any) -> str:
    """A value in a table: of several parts all of them."""
    if isinstance(value, tuple | list):
        value = " | ".join("" if part is None else str(part) for part in value)
    return "" if value is None else shortened(str(value), _VALUE)


_COLUMNS: Final = (
    Column("cause"),
    Column("kind", "what"),
    Column("board", "board"),
    Column("item", "item"),
    Column("name", "name", _value, least=8),
    Column("link"),
    Column("field", "field", least=12),
    Column("column"),
    Column("table"),
    Column("row"),
    Column("monday", "monday", _value, least=10),
    Column("postgres", "PostgreSQL", _value, least=10),
    Column("why"),
)


def _row(told: Difference, items: Items, window: Window) -> list[Any]:
    link = items.link(window.board_ids.get(told.board), told.item_id)
    return [
        told.cause.value, told.kind, told.board or None, told.item_id, told.name, link, told.field or None,
        told.column_id or None, told.table or None, told.row, _read(told.monday), _read(told.postgres), told.why,
    ]  # fmt: skip


def _read(value: Any) -> Any:
    """None for what cannot be read: `why` says so."""
    return None if value is UNSET or value is UNREADABLE else value


def _headings(told: Sequence[Difference], proof: Proof) -> dict[int, list[str]]:
    """The cause, over the first difference that has it."""
    found: dict[int, list[str]] = {}
    for number, one in enumerate(told):
        if not number or told[number - 1].cause is not one.cause:
            found[number] = ["", f"{one.cause.value} ({proof.of(one.cause):,})"]
    return found


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        "boards": {
            name: {
                "items": board.items,
                "cells": board.cells,
                "not_read": board.unread,
                "outdated": board.outdated,
                "whole": board.whole,
                "read": board.note,
            }
            for name, board in proof.boards.items()
        },
        "causes": {cause.value: proof.of(cause) for cause in _ORDER},
        "counts": [
            {"cause": cause.value, "kind": kind, "count": proof.counts[cause, kind]}
            for cause in _ORDER
            for known, kind in sorted(proof.counts, key=lambda entry: entry[1])
            if known is cause
        ],
        "requests": proof.requests,
        "notes": proof.notes,
    }


def _head(proof: Proof, width: int) -> Iterator[str]:
    yield from table(
        ("board", "items", "cells compared", "not asked", "read"),
        [_board_row(name, board) for name, board in proof.boards.items()],
        width,
    )
    yield ""
    if proof.counts:
        yield from _counted(proof, width)
        yield ""


def _board_row(name: str, board: BoardProof) -> tuple[str, ...]:
    return name, f"{board.items:,}", f"{board.cells:,}", f"{board.unread:,}", board.note


def _counted(proof: Proof, width: int) -> Iterator[str]:
    kinds = sorted({kind for _cause, kind in proof.counts})
    rows = []
    for cause in (cause for cause in _ORDER if proof.of(cause)):
        counts = [proof.counts[cause, kind] for kind in kinds]
        rows.append((cause.value, *(f"{count:,}" if count else "" for count in counts), f"{sum(counts):,}"))
    yield from table(("cause", *kinds, "together"), rows, width)


def _foot(proof: Proof, width: int) -> Iterator[str]:
    for name, board in proof.boards.items():
        if board.outdated:
            yield from wrapped(
                f"{board.outdated:,} items of the {name} board were synced after this read: they are not judged by it.",
                width,
            )
        if not board.whole:
            yield from wrapped(
                f"The {name} board was not read whole: rows whose item is on no board were not looked for.", width
            )
    for note in proof.notes:
        yield from wrapped(note, width)
    yield from wrapped(_verdict(proof), width)


def _verdict(proof: Proof) -> str:
    unexplained = proof.of(Cause.UNEXPLAINED)
    if not unexplained:
        return "Nothing is unexplained."
    one = "1 difference is" if unexplained == 1 else f"{unexplained:,} differences are"
    return (
        f"{one} unexplained, and no run will settle that: correct one side by hand, which counts as an edit, or let "
        "both meet afresh, first with python sync_monday_to_pg.py --resync --test."
    )
