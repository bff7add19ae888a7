"""A list is the same in each form, never cut silently, and nothing in it is obeyed by a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import doctest
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import status.gaps
import status.ids
import status.lists
import status.things
import terminal.times
from postgres import by_hand, window_open
from reconcile.errors import Exit
from status.lists import ListColumn, Listing, as_csv, as_json, as_table, limited, rows_wanted, show_list
from terminal.signs import printable

AT = datetime(2026, 11, 28, 12, 25, 3, tzinfo=UTC)
LONG = "x" * 5_000
COLUMNS = (
    ListColumn("id", "id"),
    ListColumn("says", "says", least=8),
    ListColumn("count", "count", right=True),
    ListColumn("more"),
)


def listing(*rows: tuple[Any, ...], total: int | None = None, **given: Any) -> Listing:
    return Listing(columns=COLUMNS, rows=rows, total=len(rows) if total is None else total, more="ask --all", **given)


@pytest.mark.parametrize(
    "module",
    [status.gaps, status.ids, status.lists, status.things, terminal.times, by_hand, window_open],
    ids=lambda module: module.__name__,
)
def test_the_examples_are_true(module: Any) -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 0) == (0, True)


def test_a_table_shows_titled_columns_in_line() -> None:
    lines = list(as_table(listing(("a", "short", 7, "hidden"), ("bbbb", "longer", 12_000, "hidden")), 80))
    assert lines == [
        "  id    says    count",
        "  a     short       7",
        "  bbbb  longer  12000",
    ]


def test_a_column_that_says_nothing_takes_no_room() -> None:
    assert next(as_table(listing(("a", None, 1, None)), 80)) == "  id  count"


@pytest.mark.parametrize("width", [40, 41, 60, 100, 200])
def test_a_long_value_is_cut_in_a_table_and_whole_elsewhere(width: int) -> None:
    shown = listing(("a", LONG, 1, LONG))
    lines = list(as_table(shown, width))
    assert max(map(len, lines)) <= width
    assert lines[1].rstrip("1 ").endswith("…")
    assert as_json(shown)["rows"][0]["says"] == LONG
    assert next(csv.DictReader(io.StringIO(as_csv(shown))))["more"] == LONG


def test_what_does_not_fit_gets_lines_of_its_own() -> None:
    columns = [ListColumn(f"c{number}", f"column {number}") for number in range(9)]
    lines = list(as_table(Listing(columns=columns, rows=[["value"] * 9], total=1), 40))
    assert lines == ["  column 0: value", *[f"    column {number}: value" for number in range(1, 9)]]


def test_lines_stand_over_and_under_their_row() -> None:
    given = listing(("a", "b", 1, None), ("c", "d", 2, None), above={1: ["over it"]}, below={0: ["w " * 60]})
    lines = list(as_table(given, 60))
    assert lines[1].strip().startswith("a")
    assert lines[2].startswith("      w w")
    assert lines[3].startswith("        w w")
    assert lines[-2:] == ["  over it", "  c   d         2"]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_it_says_how_many_more_there_are(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show_list(listing(("a", "b", 1, None), total=1_234), form)
    out, err = capsys.readouterr()
    said = "1,233 more of 1,234: ask --all"
    if form == "json":
        assert (json.loads(out)["more"], json.loads(out)["total"], json.loads(out)["shown"]) == (said, 1_234, 1)
    else:
        assert said in (err if form == "csv" else out)
    if form == "csv":
        assert out == "id,says,count,more\na,b,1,\n"
    show_list(listing(("a", "b", 1, None)), form)
    assert "more of" not in "".join(capsys.readouterr())


def test_an_empty_list_says_so() -> None:
    assert list(as_table(listing(empty="nothing is open"), 80)) == ["  nothing is open"]
    assert as_json(listing())["rows"] == []
    assert as_csv(listing()) == "id,says,count,more\n"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_csv_is_a_formula(sign: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv(listing((f"{sign}cmd", "b", -1, [f"{sign}x"]))).split("\n", 1)[1]))
    assert row[0] == printable(f"'{sign}cmd")
    assert row[2] == "-1"
    assert row[3].startswith("[")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_control_sign_reaches_no_terminal(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    show_list(listing(("a", "\x1b[31mred\x07\u202e", 1, "\x9b2J")), form)
    out = capsys.readouterr().out
    assert all(sign == "\n" or sign.isprintable() for sign in out)
    assert "\\u001b[31mred" in out


def test_json_has_the_code_the_facts_and_plain_values() -> None:
    found = as_json(listing((AT, Decimal("1.50"), 1, ["a"]), facts={"run": "r"}), Exit.PERSON_NEEDED)
    assert (found["version"], found["exit_code"], found["run"]) == (1, 5, "r")
    assert datetime.fromisoformat(found["rows"][0]["id"]) == AT
    assert (found["rows"][0]["says"], found["rows"][0]["more"]) == ("1.50", ["a"])


@pytest.mark.parametrize(
    ("limit", "form", "wanted"),
    [(None, "table", 20), (None, "json", None), (None, "csv", None), (0, "table", None), (3, "json", 3)],
)
def test_only_a_table_is_shortened_unasked(limit: int | None, form: Any, wanted: int | None) -> None:
    assert rows_wanted(limit, form, 20) == wanted
    assert len(limited(range(50), limit, form, 20)) == (wanted or 50)
