"""Cells that are wrong the way boards get wrong, each by its name."""

from __future__ import annotations

import random
from collections.abc import Callable

from sandbox.cells import Cell, Email, Link, Numbers, Phone, Text

Row = dict[str, Cell]
Dirt = Callable[[random.Random, Row, list[Email]], None]


def dirty(rng: random.Random, row: Row, staff_emails: list[Email], number: int) -> None:
    """Spoil one thing about the item; the kinds take turns, so that each occurs once there are enough items."""
    KINDS[number % len(KINDS)](rng, row, staff_emails)


def _huge_number(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["numbers0"] = Numbers("1000000000000000")


def _nul(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text43__1"] = Text("pasted from the old\x00system")


def _lone_surrogate(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text40__1"] = Text("cut in the middle of an emoji \ud83d")


def _long_note(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text43__1"] = Text(("Spoke with the homeowner about the supplement. " * 110)[:5000])


def _emoji(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text43__1"] = Text("Great people 🏠👍🏽 — 屋根 requested")


def _right_to_left(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text01__1"] = Text("\u202eיוסי לוי\u202c roof")


def _sql(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text40__1"] = Text("Robert'); DROP TABLE projects;-- %s {0}")


def _graphql(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text43__1"] = Text('"}) { id } } mutation { delete_item(item_id: 1) { id } } #\\')


def _formula_text(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text40__1"] = Text('=cmd|"/c calc"!A1')


def _placeholder(rng: random.Random, row: Row, _staff: list[Email]) -> None:
    address = rng.choice(("none@none.com", "na@na.com", "test@test.com"))
    row["email4__1"] = Email(address, address)


def _upper_case(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    cell = row.get("email4__1")
    if isinstance(cell, Email):
        row["email4__1"] = Email(cell.email.upper(), cell.email.upper(), cell.at)


def _blanks(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    for column_id in ("text65__1", "claim_number__1", "dup__of_job_address0__1"):
        if isinstance(cell := row.get(column_id), Text):
            row[column_id] = Text(f"  {cell.text} \n")


def _only_blanks(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text31__1"] = Text("   ")


def _other_phone(rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["phone_1__1"] = Phone(f"1970555{rng.randrange(10_000):04d}")


def _staff_email(rng: random.Random, row: Row, staff: list[Email]) -> None:
    if staff:
        row["email4__1"] = rng.choice(staff)


def _no_customer(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    for column_id in ("text65__1", "email4__1", "phone_1__1", "text43__1", "dup__of_job_address0__1"):
        row.pop(column_id, None)


def _crlf(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["text40__1"] = Text("line one\r\nline two\ttabbed")


def _bare_link(_rng: random.Random, row: Row, _staff: list[Email]) -> None:
    row["link__1"] = Link("https://app.jobprogress.example/jobs/?q=a&b=%20", "<b>Job</b> & more")


KINDS: tuple[Dirt, ...] = (
    _huge_number,
    _nul,
    _lone_surrogate,
    _long_note,
    _emoji,
    _right_to_left,
    _sql,
    _graphql,
    _formula_text,
    _placeholder,
    _upper_case,
    _blanks,
    _only_blanks,
    _other_phone,
    _staff_email,
    _no_customer,
    _crlf,
    _bare_link,
)
