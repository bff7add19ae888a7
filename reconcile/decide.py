"""One field of one item beside its row: what each side did since they were last reconciled, and what follows. Both
directions ask here, and nowhere else is it decided what an edit is.
"""

from __future__ import annotations

from msgspec import UNSET

from reconcile.fields import FieldValue
from reconcile.types import FORCE, BaseValue, Decision, Field, Pair, Verdict


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


def agreed(field: Field, base: Pair) -> FieldValue:
    """What both sides said when they were last reconciled; UNSET where they never agreed."""
    if base.monday is UNSET or base.postgres is UNSET or base.postgres is FORCE:
        return UNSET
    return base.monday if same(field, base.monday, base.postgres) else UNSET


def decide(field: Field, monday: FieldValue, postgres: FieldValue, base: Pair) -> Decision:
    """Decide one field on what both sides say now, and what they said when they were last reconciled."""
    if same(field, monday, postgres):
        return Decision(Verdict.SAME, monday, postgres, agreed(field, base))
    edited = (edited_on_monday(field, monday, base.monday), edited_in_postgres(field, postgres, base.postgres))
    return Decision(_VERDICTS[edited], monday, postgres, agreed(field, base))


_VERDICTS = {
    (False, False): Verdict.TOLERATED,
    (True, False): Verdict.TO_POSTGRES,
    (False, True): Verdict.TO_MONDAY,
    (True, True): Verdict.CONFLICT,
}
"""(edited on monday, edited in PostgreSQL) → what that asks for, where the two differ."""
