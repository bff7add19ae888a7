"""What a board's own rules would refuse, foretold before a request is spent on it.

monday enforces required columns and validation rules through the API (monday docs, "Validation rules"). A write is
called refused only where every reading of a rule says so: what an empty cell, a column that is not mapped or another
spelling would mean there is not documented, and monday's own answer then decides. A rule with anything in it that is
not known here foretells nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from reconcile.columns import DATE, MONEY, STATUS, Column, ColumnMap, Value
from reconcile.errors import CellError
from reconcile.items import Cell
from reconcile.push_plan import CellEdit
from reconcile.tables import PEOPLE

_EMPTINESS = frozenset({"IS_EMPTY", "IS_NOT_EMPTY"})
_COMPARED = frozenset(
    {"EQUALS", "NOT_EQUALS", "GREATER_THAN", "GREATER_THAN_OR_EQUALS", "LOWER_THAN", "LOWER_THAN_OR_EQUAL"}
)
_TEXTS = frozenset({"CONTAINS_TEXT", "NOT_CONTAINS_TEXT", "STARTS_WITH_TEXT"})
_CHOSEN = frozenset({"ANY_OF", "NOT_ANY_OF"})
_OPERATORS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("text", "long_text", "email", "phone", "link", "country"), _TEXTS | _EMPTINESS),
    **dict.fromkeys(("status", "dropdown", "rating"), _CHOSEN | _EMPTINESS),
    **dict.fromkeys(("checkbox", "people", "timeline", "location"), _EMPTINESS),
    "numbers": _COMPARED | _EMPTINESS,
    "date": _COMPARED | _EMPTINESS | {"BETWEEN"},
}
"""Column type → what a rule may ask of it (monday docs)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One constraint: a column, how it is compared, and with what."""

    column_id: str
    operator: str
    wanted: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Constraints of which all have to be met, or `either` of them."""

    parts: tuple[Part, ...]
    either: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What an item has to meet; where there is a condition (`given`), only the items that meet that."""

    then: Group
    given: Group | None = None

    @property
    def columns(self) -> set[str]:
        return {part.column_id for group in (self.then, self.given) if group for part in group.parts}


@dataclass(frozen=True, slots=True)
class BoardRules:
    """The rules of one board. `unread` are those that are not understood: id → why; not `told`: the token's user may
    not read them."""

    required: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    unread: Mapping[str, str] | None = None
    told: bool = True

    def __bool__(self) -> bool:
        return bool(self.required or self.rules)


class _NotUnderstood(Exception):
    """What is in a rule that is not known here."""


# Reading them ---------------------------------------------------------------------------------------------------------


def read_rules(required: Any, rules: Any, types: Mapping[str, str]) -> BoardRules:
    """The rules as `validations` tells them; `types` are the board's columns: id → type.

    >>> read_rules(None, {"1": {"then": {"groups": [{"operator": "SOUNDS_LIKE", "column_id": "a"}]}}}, {"a": "text"})
    BoardRules(required=(), rules=(), unread={'1': 'the operator SOUNDS_LIKE'}, told=True)
    """
    found: list[Rule] = []
    unread: dict[str, str] = {}
    for name, raw in _named(rules):
        try:
            found.append(_rule(raw, types))
        except _NotUnderstood as why:
            unread[name] = str(why)
    columns = tuple(column_id for column_id in required or () if isinstance(column_id, str))
    return BoardRules(columns, tuple(found), unread)


def _named(rules: Any) -> Iterator[tuple[str, Any]]:
    """Each rule with its id: an object by id, as it is documented, or a list of rules; either may be JSON in a text."""
    if isinstance(rules, str):
        try:
            rules = json.loads(rules)
        except ValueError:
            yield "rules", None
            return
    if isinstance(rules, list):
        yield from ((str(raw.get("id", n)) if isinstance(raw, dict) else str(n), raw) for n, raw in enumerate(rules))
    elif isinstance(rules, dict):
        yield from rules.items()
    elif rules is not None:
        yield "rules", None


def _rule(raw: Any, types: Mapping[str, str]) -> Rule:
    if not isinstance(raw, dict) or set(raw) - {"id", "if", "then"}:
        raise _NotUnderstood("a form that this program does not know")
    return Rule(_group(raw.get("then"), types), _group(raw["if"], types) if raw.get("if") is not None else None)


def _group(raw: Any, types: Mapping[str, str]) -> Group:
    parts = raw.get("groups") if isinstance(raw, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise _NotUnderstood("a form that this program does not know")
    joined = raw.get("operator") or "AND"
    if joined not in ("AND", "OR"):
        raise _NotUnderstood(f"the operator {joined}")
    return Group(tuple(_part(part, types) for part in parts), joined == "OR")


def _part(raw: Mapping[str, Any], types: Mapping[str, str]) -> Part:
    operator, column_id = raw.get("operator"), raw.get("column_id")
    if not isinstance(operator, str) or not isinstance(column_id, str) or "groups" in raw:
        raise _NotUnderstood("a form that this program does not know")
    if raw.get("compare_attribute"):
        raise _NotUnderstood(f"the attribute {raw['compare_attribute']}")
    kind = types.get(column_id)
    if kind is None:
        raise _NotUnderstood(f"the column {column_id}, which the board does not show")
    if operator not in {name for known in _OPERATORS.values() for name in known}:
        raise _NotUnderstood(f"the operator {operator}")
    if operator not in _OPERATORS.get(kind, ()):
        raise _NotUnderstood(f"the operator {operator} for a column of type {kind}")
    wanted = raw.get("compare_value")
    wanted = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
    try:
        return Part(column_id, operator, () if operator in _EMPTINESS else _wanted(kind, operator, wanted))
    except (ValueError, TypeError, InvalidOperation):
        raise _NotUnderstood(f"what {operator} compares with") from None


def _wanted(kind: str, operator: str, raw: list[Any]) -> tuple[Any, ...]:
    """Raises ValueError, TypeError or InvalidOperation for what is no value of that type."""
    if operator in _CHOSEN:
        return tuple(int(choice) for choice in raw if not isinstance(choice, bool))
    if kind == "date":
        values: list[Any] = [date.fromisoformat(day) for day in (raw[1:] if raw[:1] == ["EXACT"] else raw)]
    elif kind == "numbers":
        values = [Decimal(str(number)) for number in raw]
    else:
        values = [str(text) for text in raw if text]
    (first, *others) = values
    if len(others) != (operator == "BETWEEN"):
        raise ValueError(operator)
    return (first, *others)


# What an item holds ---------------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """What a cell holds, or will: the value, each text that monday may take it for, and its label's id."""

    value: Value
    texts: tuple[str, ...] = ()
    label: int | None = None


Holds = Mapping[str, Held | None]
"""Column id → what it holds; None where that is not known."""


def written(column: Column, edit: CellEdit) -> Held | None:
    """A cell as a write leaves it."""
    form = edit.form
    if form is None:
        return Held(None)
    if column.codec is MONEY:
        return Held(Decimal(form))
    if column.codec is STATUS:
        return Held(edit.after, label=form.get("index"))
    return Held(edit.after, _texts(form))


def standing(column: Column, cell: Cell | None, labels: Mapping[str, int | None]) -> Held | None:
    """A cell as it is. One that holds blanks alone, or what nobody can read, may be empty to monday or not."""
    if cell is None:
        return None
    try:
        value = column.codec.decode(cell)
    except CellError:
        return None
    if value is None:
        return None if isinstance(cell.text, str) and cell.text else Held(None)
    if column.codec is STATUS:
        return Held(value, label=labels.get(str(value)))
    told = {"phone": cell.phone, "email": cell.email, "label": cell.label, "url": cell.url, "text": cell.url_text}
    texts = _texts({name: text for name, text in told.items() if isinstance(text, str)})
    return Held(value, texts or (str(value),))


def _texts(form: Any) -> tuple[str, ...]:
    """Each text that a cell in its write form may be taken for."""
    if isinstance(form, str):
        return (form,)
    parts = [text for name, text in form.items() if isinstance(text, str) and name != "countryShortName"]
    digits = "".join(sign for sign in form.get("phone", "") if sign.isdecimal())
    both = [f"{one} - {other}" for one in parts for other in parts if one != other]
    return tuple(dict.fromkeys([*parts, *both, *([digits, f"+{digits}"] if digits else [])]))


# What would be refused ------------------------------------------------------------------------------------------------


class Foretold(NamedTuple):
    """One written column that would be refused, and why: in words without its value."""

    column_id: str
    reason: str


def missing(rules: BoardRules, cells: Mapping[str, Any], columns: ColumnMap, titles: Mapping[str, str]) -> str:
    """Why an item with these cells is not made; "" where no required column is empty."""
    lacking = [column_id for column_id in rules.required if column_id not in cells and column_id != "name"]
    if not lacking:
        return ""
    named = ", ".join(f'"{_title(column_id, columns, titles)}"' for column_id in lacking)
    fields = [_field(columns[column_id]) for column_id in lacking if fills(columns.get(column_id))]
    todo = f"give {', '.join(dict.fromkeys(fields))} a value that monday.com takes" if fields else ""
    if len(fields) < len(lacking):
        todo += ", and " if todo else ""
        todo += "let the owner of the board make optional what no column of PostgreSQL fills"
    return f"the board requires {named} of a new item: {todo}; the next run then makes the item"


def foretell(
    rules: BoardRules, writes: Holds, holds: Holds, columns: ColumnMap, labels: Mapping[str, Mapping[int, str]]
) -> list[Foretold]:
    """The written columns that the rules would refuse as they stand together; without these, look again.

    `writes` are the cells of the write, `holds` the others of the item; `labels` are the texts of label ids.
    """
    item = {**holds, **writes}
    found: dict[str, str] = {}
    for column_id in rules.required:
        held = writes.get(column_id)
        if held is not None and held.value is None:
            todo = f"give {_field(columns[column_id])} a value in PostgreSQL"
            found.setdefault(column_id, f"the board requires a value there: {todo}, or let its owner make it optional")
    for rule in rules.rules:
        if rule.columns.isdisjoint(writes) or not _applies(rule, item) or _all_met(rule.then, item) is not False:
            continue
        broken = [part for part in rule.then.parts if _met(part, item.get(part.column_id)) is False]
        blamed = [part.column_id for part in broken if part.column_id in writes]
        if not blamed and rule.given is not None:
            blamed = [part.column_id for part in rule.given.parts if part.column_id in writes]
        reason = _reason(rule, broken, columns, labels)
        for column_id in blamed:
            found.setdefault(column_id, reason)
    return [Foretold(*entry) for entry in sorted(found.items())]


def _applies(rule: Rule, item: Holds) -> bool:
    return rule.given is None or _all_met(rule.given, item) is True


def _all_met(group: Group, item: Holds) -> bool | None:
    """Whether a group is met; None where that is not certain."""
    met = [_met(part, item.get(part.column_id)) for part in group.parts]
    decides = group.either
    if decides in met:
        return decides
    return None if None in met else not decides


def _met(part: Part, held: Held | None) -> bool | None:
    if held is None:
        return None
    if part.operator in _EMPTINESS:
        return (held.value is None) == (part.operator == "IS_EMPTY")
    if held.value is None:
        return None
    if part.operator in _CHOSEN:
        return None if held.label is None else (held.label in part.wanted) == (part.operator == "ANY_OF")
    if part.operator in _TEXTS:
        return _text_met(part.operator, part.wanted[0], held.texts)
    return _COMPARE[part.operator](held.value, part.wanted)


def _text_met(operator: str, wanted: str, texts: Iterable[str]) -> bool | None:
    """Whether capitals count, and which text of a cell is meant, is not documented: certain is what holds for all."""
    found = set()
    for text in texts:
        for has, needle in ((text, wanted), (text.casefold(), wanted.casefold())):
            found.add(has.startswith(needle) if operator == "STARTS_WITH_TEXT" else needle in has)
    if len(found) != 1:
        return None
    return found.pop() != (operator == "NOT_CONTAINS_TEXT")


_COMPARE: Mapping[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "EQUALS": lambda has, wanted: has == wanted[0],
    "NOT_EQUALS": lambda has, wanted: has != wanted[0],
    "GREATER_THAN": lambda has, wanted: has > wanted[0],
    "GREATER_THAN_OR_EQUALS": lambda has, wanted: has >= wanted[0],
    "LOWER_THAN": lambda has, wanted: has < wanted[0],
    "LOWER_THAN_OR_EQUAL": lambda has, wanted: has <= wanted[0],
    "BETWEEN": lambda has, wanted: min(wanted) <= has <= max(wanted),
}


# In words -------------------------------------------------------------------------------------------------------------

_WORDS: Mapping[str, str] = {
    "IS_EMPTY": "no value",
    "IS_NOT_EMPTY": "a value",
    "ANY_OF": "one of {}",
    "NOT_ANY_OF": "none of {}",
    "CONTAINS_TEXT": "a text with {} in it",
    "NOT_CONTAINS_TEXT": "a text without {} in it",
    "STARTS_WITH_TEXT": "a text that begins with {}",
    "EQUALS": "{}",
    "NOT_EQUALS": "anything but {}",
    "GREATER_THAN": "more than {}",
    "GREATER_THAN_OR_EQUALS": "at least {}",
    "LOWER_THAN": "less than {}",
    "LOWER_THAN_OR_EQUAL": "at most {}",
    "BETWEEN": "a day from {}",
}
_WORDS_OF_DAYS: Mapping[str, str] = {
    "GREATER_THAN": "a day after {}",
    "GREATER_THAN_OR_EQUALS": "{} or a later day",
    "LOWER_THAN": "a day before {}",
    "LOWER_THAN_OR_EQUAL": "{} or an earlier day",
}


def _reason(rule: Rule, broken: Iterable[Part], columns: ColumnMap, labels: Mapping[str, Mapping[int, str]]) -> str:
    parts = list(broken)
    joint = " or " if rule.then.either else " and "
    wants = joint.join(f'{_asked(part, columns, labels)} in "{columns[part.column_id].title}"' for part in parts)
    where = ""
    if rule.given is not None:
        known = [part for part in rule.given.parts if part.column_id in columns]
        of = [f'"{columns[part.column_id].title}" holds {_asked(part, columns, labels)}' for part in known]
        where = f" where {(' or ' if rule.given.either else ' and ').join(of)}"
    fields = ", ".join(dict.fromkeys(_field(columns[part.column_id]) for part in parts))
    todo = f"correct {fields} in PostgreSQL, or let the owner of the board change the rule"
    return f"a rule of the board wants {wants}{where}: {todo}"


def _asked(part: Part, columns: ColumnMap, labels: Mapping[str, Mapping[int, str]]) -> str:
    """What a constraint asks for."""
    days = columns[part.column_id].codec is DATE
    words = (_WORDS_OF_DAYS if days else _WORDS).get(part.operator, _WORDS[part.operator])
    if part.operator in _CHOSEN:
        known = labels.get(part.column_id, {})
        return words.format(
            ", ".join(f'"{known[label]}"' if label in known else f"label {label}" for label in part.wanted)
        )
    quoted = [f'"{value}"' if isinstance(value, str) else f"{value}" for value in part.wanted]
    return words.format(" to ".join(quoted))


def _title(column_id: str, columns: ColumnMap, titles: Mapping[str, str]) -> str:
    return columns[column_id].title if column_id in columns else titles.get(column_id, column_id)


def fills(column: Column | None) -> bool:
    """Whether a value of PostgreSQL goes there."""
    return column is not None and bool(column.target) and column.direction == "two-way"


def _field(column: Column) -> str:
    """Where a person corrects what a column shows: `users.name of the Estimator`."""
    return column.target + (f" of the {column.role}" if column.role and column.role not in PEOPLE else "")
