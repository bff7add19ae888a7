"""Why a value is where it is, and what the next runs will do about it: one cell of one item in words. The verdict is
that of `reconcile.decide` and `reconcile.conflicts`; here it only gets its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import UNSET

from models import UNREADABLE
from reconcile.base import FORCE, BaseValue
from reconcile.conflicts import winner
from reconcile.decide import Verdict, decide
from reconcile.fields import FieldValue
from reconcile.layout import Field
from reconcile.plan_push import FAN_OUT

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the next pull and the next push do about one cell, and why; `differs`: the two sides do not say the same."""

    pull: str
    push: str
    why: str
    differs: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What decides about a cell beside its values.

    `known`: the item was synced before. `news`: the next pull looks at it. `edited`: the row tells of an edit, by which
    the next push finds it. `selects`: the cell only selects a person of the staff board. `shown_by`: how many items
    show the row. `deleted`: the slot's row was deleted in PostgreSQL. `moved`: a person changed the foreign key of that
    name; `led_elsewhere`: it differed from the beginning. `refused` and `unstorable`: why monday, or PostgreSQL, did
    not take the value; `unreadable`: why the cell cannot be read. `doubt`: an earlier push was cut short.
    """

    known: bool = True
    news: bool = False
    edited: bool = False
    selects: bool = False
    shown_by: int = 1
    deleted: bool = False
    moved: str | None = None
    led_elsewhere: str | None = None
    refused: str | None = None
    unstorable: str | None = None
    unreadable: str | None = None
    doubt: bool = False


def forecast(
    one: Field, says: FieldValue, holds: Any, base_monday: FieldValue, base_postgres: BaseValue, around: Around
) -> Forecast:
    """What will become of one cell: `says` is what monday shows, `holds` what the row holds, the base what both were
    remembered with."""
    if not around.known:
        return Forecast("lands the item", NOTHING, "the item was never synced")
    if holds is UNREADABLE:
        return Forecast(NOTHING, NOTHING, "PostgreSQL holds a value that cannot be read: correct it there")
    if around.unstorable is not None:
        return Forecast("keeps what PostgreSQL holds", NOTHING, f"PostgreSQL does not take it: {around.unstorable}")
    if says is UNSET:
        why = f"the cell cannot be read: {around.unreadable}" if around.unreadable else "the cell was not read"
        return Forecast("keeps what PostgreSQL holds", NOTHING, why)
    decision = decide(one, says, holds, base_monday, base_postgres)
    if decision.verdict is Verdict.SAME:
        return Forecast(NOTHING, NOTHING, "both sides say the same", differs=False)
    if around.deleted:
        why = "its row was deleted in PostgreSQL, and stays so until the item says something new"
        return Forecast("makes the row again" if around.news else NOTHING, NOTHING, why)
    if around.led_elsewhere is not None:
        return Forecast(
            NOTHING, NOTHING, f"the foreign key {around.led_elsewhere} led elsewhere when both sides first met"
        )
    if around.moved is not None:
        return _sent(
            one,
            around,
            f"the foreign key {around.moved} was changed in PostgreSQL, so that the item is to show another row",
        )
    match decision.verdict:
        case Verdict.TOLERATED:
            why = "both sides differed when they first met, and nobody edited either since: --adopt monday or pg"
            return Forecast(NOTHING, NOTHING, why)
        case Verdict.TO_POSTGRES:
            return _taken(holds, around)
        case Verdict.TO_MONDAY:
            why = "edited in PostgreSQL since both sides last agreed"
            if base_postgres is FORCE:
                why = "another item's value won, and this one is still to be told"
            return _sent(one, around, why)
    return _contested(one, around)


def _taken(holds: Any, around: Around) -> Forecast:
    if around.selects and holds is not None:  # an empty field of his is filled all the same
        why = "the cell only selects a person of the staff board, whose own item edits him"
        return Forecast(NOTHING, NOTHING, why)
    if not around.news:
        why = "the cell is not what it is remembered with, and yet the item counts as unchanged: verify tells of it"
        return Forecast(NOTHING, NOTHING, why)
    return Forecast("writes it to PostgreSQL", NOTHING, "edited on monday since both sides last agreed")


def _sent(one: Field, around: Around, why: str) -> Forecast:
    if not one.two_way:
        return Forecast(NOTHING, NOTHING, "monday alone writes this column")
    if not around.edited:
        why = "the row is not what it is remembered with, and yet it counts as unchanged: verify tells of it"
        return Forecast(NOTHING, NOTHING, why)
    if around.refused is not None:
        again = "tries again once the value is another (or with --retry-dead)"
        return Forecast(NOTHING, again, f"monday refused it: {around.refused}")
    if around.doubt:
        return Forecast(NOTHING, "settles first what an earlier push left unfinished", why)
    if around.shown_by > FAN_OUT:
        many = f"{around.shown_by:,} items show the row: --allow-fanout"
        return Forecast(NOTHING, "waits", f"{why}; {many}")
    return Forecast(NOTHING, "sends it to monday", why)


def _contested(one: Field, around: Around) -> Forecast:
    both = "both sides were edited since they last agreed"
    match winner(one, None):
        case "monday":
            why = f"{both}, and here monday wins: PostgreSQL's value is kept in the log"
            return Forecast("writes monday's value", "leaves it to the pull", why)
        case "postgres":
            sent = _sent(one, around, f"{both}, and here PostgreSQL wins: monday's value is kept in the log")
            return Forecast("leaves it to the push", sent.push, sent.why)
    return Forecast("leaves it to a person", "leaves it to a person", f"{both}, and a person is to decide")
