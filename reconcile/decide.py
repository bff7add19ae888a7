"""One field of one item beside its row: what each side did since they last met, and what follows. Both directions ask
here, and nowhere else is it decided what an edit is.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from msgspec import UNSET

from reconcile.base import FORCE, BaseValue
from reconcile.fields import FieldValue
from reconcile.layout import Field


class Verdict(Enum):
    """What one field asks for."""

    SAME = auto()
    TOLERATED = auto()
    """They differ, and nobody edited either since they first met."""
    TO_POSTGRES = auto()
    TO_MONDAY = auto()
    CONFLICT = auto()


class Decision(NamedTuple):
    """The verdict on one field, and the three values that it was decided on; `agreed` is UNSET where there is none."""

    verdict: Verdict
    monday: FieldValue
    postgres: FieldValue
    agreed: FieldValue


def same(field: Field, one: FieldValue, other: FieldValue) -> bool:
    """Whether two values of a field are one and the same, however they are written."""
    return bool(field.compare_key(one) == field.compare_key(other))


def edited_on_monday(field: Field, monday: FieldValue, before: FieldValue) -> bool:
    """Whether a person changed it on monday since `before`. What was not read, now or then, tells of no edit."""
    if monday is UNSET or before is UNSET:
        return False
    return bool(field.edit_key(monday) != field.edit_key(before))


def edited_in_postgres(field: Field, postgres: FieldValue, before: BaseValue) -> bool:
    """Whether the row holds what monday has to be told: an edit since `before`, or (FORCE) the value that won."""
    return before is FORCE or not same(field, postgres, before)


def agreed(field: Field, monday: FieldValue, postgres: BaseValue) -> FieldValue:
    """What both sides said when they last met; UNSET where they never agreed."""
    if monday is UNSET or postgres is UNSET or postgres is FORCE or not same(field, monday, postgres):
        return UNSET
    return monday


def decide(
    field: Field, monday: FieldValue, postgres: FieldValue, base_monday: FieldValue, base_postgres: BaseValue
) -> Decision:
    """Decide one field on what both sides say now, and what they said when they last met."""
    met = agreed(field, base_monday, base_postgres)
    if same(field, monday, postgres):
        return Decision(Verdict.SAME, monday, postgres, met)
    verdict = _VERDICTS[
        edited_on_monday(field, monday, base_monday), edited_in_postgres(field, postgres, base_postgres)
    ]
    return Decision(verdict, monday, postgres, met)


_VERDICTS = {
    (False, False): Verdict.TOLERATED,
    (True, False): Verdict.TO_POSTGRES,
    (False, True): Verdict.TO_MONDAY,
    (True, True): Verdict.CONFLICT,
}
"""(edited on monday, edited in PostgreSQL) → what that asks for, where the two differ."""
