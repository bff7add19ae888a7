"""Values at their edges: what is the same value in other clothes, what is another one, and that both are carried."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.address import parse
from reconcile.amounts import in_cents
from reconcile.columns import DATE, EMAIL, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Codec, Column
from reconcile.encode import write_form
from reconcile.errors import CellError
from reconcile.fields import (
    Unplaced,
    _cells_of_address,
    _cells_of_halves,
    _compare_address,
    _compare_name,
    completed_address,
    completed_name,
    person_name,
)
from reconcile.items import Cell
from reconcile.phones import _parsed, canonical, country_for
from reconcile.plan_push import PushOptions, _Planner
from terminal.contrast import LONGEST, contrasted, shortened
from tests.commands.test_push import CUSTOMER, PROPERTY, quiet, text
from tests.support.company import BOARD_IDS, Company

PHONE_CELL, ADDRESS_CELL, PRICE, DAY = "phone_1__1", "dup__of_job_address0__1", "numbers0", "date_19__1"
NBSP = "\u00a0"


def dead(company: Company) -> set[tuple[int, str]]:
    return set(company.sql("SELECT item_id, place FROM monday_sync.sync_dead"))


# Phones ---------------------------------------------------------------------------------------------------------------

SAME_NUMBER = [
    ["2025550172", "(202) 555-0172", "+1 202 555 0172", "1-202-555-0172", "202.555.0172", " 2025550172 ",
     f"202{NBSP}555{NBSP}0172", "202\u2011555\u20110172", "202/555-0172", "\u202a+1 202 555 0172\u202c",
     "(+1) 2025550172",     "202\t555\t0172", "+(1) 202 555 0172"],
    ["2025550172 x7", "(202) 555-0172 ext. 7", "+12025550172;ext=7", "202-555-0172, 7", "2025550172#7",
     "2025550172 Extension 7"],
    ["2025550172 x8"],
    ["1-800-PLUMBER", "1 800 plumber", "1-800-758-6237", "+18007586237"],
    ["1-800-PLASTER", "18007527837"],
    ["(+44) 20 7946 0958", "+44 20 7946 0958", "+44 (0)20 7946 0958", "011 44 20 7946 0958"],
    ["(44) 20 7946 0958"],
    ["2079460958", "+12079460958"],
    ["+2079460958"],
    ["+52 55 1234 5678", "+525512345678"],
    ["5512345678"],
    ["202-555-0172 ask for Bob"],
    ["202-555-0172 ask for Ann"],
    ["202-555-0172 A"],
    ["202-555-0172 B"],
    ["call 202-555-0172"],
    ["2025550172 / 2025550173"],
    ["2025550172*"],
    ["202555017²"],
    ["555-0100", "5550100", "(555) 0100"],
    ["+1 555 0100"],
    ["ask at the desk", "ask(at)the-desk"],
    ["ask at the Desk"],
    ["1-800-PLUMBERS"],
    ["0"],
    ["."],
]  # fmt: skip


def test_two_phones_are_one_number_exactly_where_libphonenumber_says_so() -> None:
    forms = [{canonical(spelling) for spelling in group} for group in SAME_NUMBER]
    assert [(group, found) for group, found in zip(SAME_NUMBER, forms, strict=True) if len(found) > 1] == []
    assert len({form for found in forms for form in found}) == len(SAME_NUMBER)


@given(
    st.from_regex(r"[0-9]{10}|1[0-9]{10}|\+1[0-9]{10}", fullmatch=True),
    st.lists(st.sampled_from([" ", "-", ".", "(", ")", ""]), min_size=13, max_size=13),
)
def test_the_short_way_to_a_number_ends_where_the_long_one_does(digits: str, signs: list[str]) -> None:
    spelled = "".join(sign + digit for sign, digit in zip(signs, digits, strict=False)) + signs[-1]
    assert canonical(spelled) == canonical(digits) == (_parsed(digits) or digits)
    assert _parsed(spelled) in (None, _parsed(digits))


@given(st.text(alphabet=st.sampled_from("0123456789 ()-.+xX#,;ABCz\u00a0\u2011²*/"), max_size=24))
def test_any_text_has_a_form_that_is_its_own_form(spelled: str) -> None:
    form = canonical(spelled)
    assert canonical(form) == form
    assert form or not spelled.strip(" ()-.\u00a0")


COUNTRIES: list[tuple[str, Any, str | None]] = [
    ("2025550172", "US", "US"),
    ("2025550172", "us", "US"),
    ("2025550172", "XX", "US"),
    ("2025550172", "usa", "US"),
    ("2025550172", None, "US"),
    ("2025550172", "GB", "US"),  # invalid there, valid at home
    ("020 7946 0958", "gb", "GB"),
    ("020 7946 0958", "US", None),
    ("(+44) 20 7946 0958", "US", "GB"),
    ("+44 20 7946 0958", None, "GB"),
    ("5512345678", "mx", "MX"),
    ("416 555 0172", "CA", "CA"),
    ("+1 800 758 6237", "CA", "CA"),
    ("+52 55 1234 5678", "US", "MX"),
    ("1-800-PLUMBER", "US", None),
    ("2025550172 x7", "US", None),
    ("2025550172 ask for Bob", "US", None),
    ("+800 1234 5678", "US", None),  # of no country
    ("555-0100", "US", None),
    ("1" * 300, "US", None),
]


@pytest.mark.parametrize(("number", "named", "country"), COUNTRIES)
def test_a_number_is_sent_as_one_of_the_country_that_takes_it(number: str, named: Any, country: str | None) -> None:
    assert country_for(number, named) == country
    column, was = Column("c", PHONE, "t.c"), Cell("c", "phone", country_short_name=named)
    if country is None:
        with pytest.raises(CellError, match="no valid phone"):
            write_form(column, number, was)
    else:
        assert write_form(column, number, was) == {"phone": number, "countryShortName": country}


@pytest.mark.parametrize(
    ("before", "after"),
    [("1-800-PLUMBER", "1-800-PLASTER"), ("2025550172 ask Bob", "2025550172 ask Ann"), ("2025550172", "2025550172 x7"),
     ("(44) 20 7946 0958", "(+44) 20 7946 0958"), ("2079460958", "+2079460958")],
)  # fmt: skip
def test_another_number_on_the_board_reaches_the_row(synced: Company, before: str, after: str) -> None:
    item = synced.sandbox.item_ids()[0]
    for number in (before, after):
        synced.sandbox.edit(item, {PHONE_CELL: {"phone": number, "countryShortName": "US"}}, force=True)
        synced.sandbox.advance(60)
        assert synced.sync().code == 0
        assert synced.value(f"SELECT phone FROM customers WHERE id = {CUSTOMER}", item) == number


@pytest.mark.parametrize(
    ("after", "shown"),
    [("(+44) 20 7946 0958", "GB"), ("+2034567890", "EG"), ("+2079460958", None),
     ("1-800-PLASTER", None), ("2025550172 ask Ann", None),
     ("1-800-752-7837", "US"), ("(202) 555-0172", "")],
)  # fmt: skip
def test_another_number_in_sql_reaches_the_board_or_is_set_aside(
    synced: Company, after: str, shown: str | None
) -> None:
    """ "": it is the number that stands there."""
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {PHONE_CELL: {"phone": "2025550172", "countryShortName": "us"}}, force=True)
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql(f"UPDATE customers SET phone = %s, notes = 'told too' WHERE id = {CUSTOMER}", after, item)
    ended = synced.push()
    cell = synced.sandbox.item(item)["cells"][PHONE_CELL]
    assert text(synced, item, "text43__1") == "told too"
    assert (ended.code, cell["text"]) == ((5, "2025550172") if shown is None else (0, after if shown else "2025550172"))
    assert dead(synced) == ({(item, PHONE_CELL)} if shown is None else set())
    if shown:
        assert f'"{shown}"' in cell["value"]
    assert synced.value(f"SELECT phone FROM customers WHERE id = {CUSTOMER}", item) == after
    if shown is not None:
        quiet(synced)


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "street"),
    [
        ("5 Elm St, Reno, NV 89501 Apt 2", "5 Elm St Apt 2"),
        ("5 Elm St, Reno, NV 89501, Unit 4", "5 Elm St Unit 4"),
        ("5 Elm St, Reno, NV 89501 #2", "5 Elm St #2"),
        ("5 Elm St, Reno Apt 2, NV 89501", "5 Elm St Apt 2"),
        ("Apt 2, 5 Elm St, Reno, NV 89501", "Apt 2, 5 Elm St"),
        ("5 Elm St # 2, Reno, NV 89501", "5 Elm St # 2"),
        (f"5{NBSP}Elm{NBSP}St,\tReno, NV{NBSP}89501", "5 Elm St"),
        ("12 Reno Ave, Reno, NV 89501 call the Reno office", "12 Reno Ave"),
    ],
)
def test_a_street_keeps_its_unit(address: str, street: str) -> None:
    assert parse(address) == (street, "Reno", "NV", "89501")


UNIT = "5 Elm St, Reno, NV 89501 Apt 2"
PARTS_EDITED: list[tuple[str, dict[str, str | None], str | None]] = [
    (UNIT, {"zip": "89502"}, "5 Elm St, Reno, NV 89502 Apt 2"),
    (UNIT, {"city": "Elko", "zip": "89801"}, "5 Elm St, Elko, NV 89801 Apt 2"),
    (UNIT, {"street": "7 Oak Ave Apt 3"}, "7 Oak Ave Apt 3, Reno, NV 89501"),
    ("5 Elm St, Reno, NV 89501 (back door)", {"street": "7 Oak Ave"}, "7 Oak Ave, Reno, NV 89501 (back door)"),
    ("5 Elm St, Reno, NV 89501, USA", {"state": "CA"}, "5 Elm St, Reno, CA 89501, USA"),
    ("5 Elm St Reno NV 89501", {"city": "Elko"}, "5 Elm St Elko NV 89501"),
    ("5 Elm St\nReno, NV 89501", {"zip": "89502"}, "5 Elm St\nReno, NV 89502"),
    (f"5{NBSP}Elm St,\tReno, NV{NBSP}89501", {"zip": "89502"}, f"5{NBSP}Elm St,\tReno, NV{NBSP}89502"),
    ("12 Reno Ave, Reno, NV", {"city": "Elko"}, "12 Reno Ave, Elko, NV"),
    ("12 Reno Ave, Reno, NV", {"street": "13 Reno Ave"}, "13 Reno Ave, Reno, NV"),
    ("12 Reno Ave, Reno, NV", {"zip": "89501"}, "12 Reno Ave, Reno, NV 89501"),
    ("89501 Elm St, Reno, NV 89501", {"zip": "89502"}, "89501 Elm St, Reno, NV 89502"),
    ("5 Elm St, Reno, NV 89501", {"zip": None}, "5 Elm St, Reno, NV"),
    ("5 Elm St, Reno, NV 89501 (back door)", {"zip": None}, None),
    ("behind the church", {"city": "Reno"}, None),
    ("behind the church", {"street": "5 Elm St", "city": "Reno"}, None),
]


@pytest.mark.parametrize(("raw", "edited", "expected"), PARTS_EDITED)
def test_an_edited_part_is_exchanged_inside_the_text_or_set_aside(
    raw: str, edited: dict[str, str | None], expected: str | None
) -> None:
    was = (raw, *parse(raw))
    parts = parse(raw)._replace(**edited)
    whole = completed_address((raw, *parts), was)
    assert isinstance(whole, Unplaced) == (expected is None)
    assert tuple(whole) == (expected or raw, *parts)
    if expected is None:
        with pytest.raises(CellError, match="column address"):
            _cells_of_address(whole)
    else:
        assert _cells_of_address(whole) == (expected,)
        assert completed_address(whole, whole) == whole


BLANKS = f"5{NBSP}Elm St, Reno,\tNV 89501"
OLD = (BLANKS, f"5{NBSP}Elm St", "Reno", "NV", "89501")  # as an earlier parser left it
ROWS_EDITED: list[tuple[tuple[str | None, ...], Any, tuple[str | None, ...] | None]] = [
    ((None, *OLD[1:]), OLD, None),
    ((None, "5 Elm St", "Reno", "NV", "89501"), OLD, None),
    (("7 Oak Ave, Elko, NV 89801", *OLD[1:]), OLD, ("7 Oak Ave, Elko, NV 89801", "7 Oak Ave", "Elko", "NV", "89801")),
    (
        ("7 Oak Ave, Elko, NV 89801", "5 Elm St ", " Reno", "NV", "89801"),  # the new zip was typed with the address
        OLD,
        ("7 Oak Ave, Elko, NV 89801", "7 Oak Ave", "Elko", "NV", "89801"),
    ),
    ((f" {BLANKS} ", "5 Elm St", " Reno ", "NV", "89501\u2009"), OLD, (BLANKS, "5 Elm St", "Reno", "NV", "89501")),
    ((None, None, "Reno", None, None), None, (None, None, "Reno", None, None)),
    (("5 Elm St, Reno, NV 89501", "5 ELM STREET", "RENO", "NV", "89501-0001"), None,
     ("5 Elm St, Reno, NV 89501", "5 ELM STREET", "RENO", "NV", "89501-0001")),
    ((UNIT, "6 Elm St", "Reno", "NV", "89501"), (UNIT, "5 Elm St", "Reno", "NV", "89501"),
     ("6 Elm St, Reno, NV 89501 Apt 2", "6 Elm St", "Reno", "NV", "89501")),
    ((UNIT, "5 Elm St", "Reno", "NV", "89501"), (UNIT, "5 Elm St", "Reno", "NV", None),
     (UNIT, "5 Elm St", "Reno", "NV", "89501")),
]  # fmt: skip


@pytest.mark.parametrize(("now", "was", "whole"), ROWS_EDITED)
def test_blanks_are_no_edit_of_an_address(now: Any, was: Any, whole: Any) -> None:
    assert completed_address(now, was) == whole


@pytest.mark.parametrize("blank", [NBSP, "\t", "\u2009", " "])
def test_an_address_is_compared_without_regard_to_the_kind_of_its_blanks(blank: str) -> None:
    plain = "5 Elm St, Reno, NV 89501"
    other = plain.replace(" ", blank) + blank
    assert _compare_address((plain, *parse(plain))) == _compare_address((other, None, None, None, None))


@pytest.mark.parametrize(("raw", "edited", "expected"), PARTS_EDITED)
@pytest.mark.sampled(2)
def test_an_edited_part_reaches_the_board_or_is_listed(
    synced: Company, raw: str, edited: dict[str, str | None], expected: str | None
) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {ADDRESS_CELL: raw})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    sets = ", ".join(f"{column} = %s" for column in edited)
    synced.sql(f"UPDATE properties SET {sets} WHERE id = {PROPERTY}", *edited.values(), item)
    synced.sql("UPDATE projects SET description = 'told too' WHERE monday_item_id = %s", item)
    rehearsed = synced.push("--test").report
    ended = synced.push()
    assert (rehearsed["plan"], rehearsed["quarantined"]) == (ended.report["plan"], ended.report["quarantined"])
    assert text(synced, item, "text40__1") == "told too"
    assert (ended.code, text(synced, item, ADDRESS_CELL)) == ((0, expected) if expected else (5, raw))
    assert synced.value(f"SELECT address FROM properties WHERE id = {PROPERTY}", item) == (expected or raw)
    if expected:
        quiet(synced)
        return
    assert dead(synced) == {(item, ADDRESS_CELL)}
    (column, value), *_ = edited.items()
    assert synced.value(f"SELECT {column} FROM properties WHERE id = {PROPERTY}", item) == value
    again = synced.push()
    assert (again.code, again.report["items"]["update"]) == (5, 0)
    synced.sql(f"UPDATE properties SET address = '7 Oak Ave, Elko, NV 89801' WHERE id = {PROPERTY}", item)
    assert (synced.push().code, dead(synced)) == (0, set())
    assert text(synced, item, ADDRESS_CELL) == "7 Oak Ave, Elko, NV 89801"
    quiet(synced)


@pytest.mark.parametrize("between", [NBSP, "\t"])
def test_an_address_with_odd_blanks_is_cleared_and_replaced_whole(synced: Company, between: str) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {ADDRESS_CELL: f"5{between}Elm St, Reno,{between}NV 89501{between}"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql(
        f"UPDATE properties SET street = street || ' ', address = '7 Oak Ave, Elko, NV 89801' WHERE id = {PROPERTY}",
        item,
    )
    assert synced.push().code == 0
    assert text(synced, item, ADDRESS_CELL) == "7 Oak Ave, Elko, NV 89801"
    assert synced.value(f"SELECT city FROM properties WHERE id = {PROPERTY}", item) == "Elko"
    synced.sql(f"UPDATE properties SET address = NULL WHERE id = {PROPERTY}", item)
    assert synced.push().code == 0
    assert text(synced, item, ADDRESS_CELL) == ""
    quiet(synced)


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [" ", NBSP, "\t", "\u2003", "\u3000", "  ", f" {NBSP}"])
def test_any_white_space_separates_first_from_last_name(blank: str) -> None:
    full = f"Ann{blank}Lee Poe"
    assert person_name([full]) == (full, "Ann", "Lee Poe")
    assert _cells_of_halves((full, None, None)) == ("Ann", "Lee Poe")
    assert completed_name((full, "Bob", "Roe"), ("Bob Roe", "Bob", "Roe")) == (full, "Ann", "Lee Poe")
    assert completed_name((full, "Anna", "Lee Poe"), (full, "Ann", "Lee Poe")) == ("Anna Lee Poe", "Anna", "Lee Poe")
    assert completed_name((f" {full}", f"Ann{blank}", "Lee Poe"), (full, "Ann", "Lee Poe")) == (full, "Ann", "Lee Poe")
    assert _compare_name((full, None, None)) == _compare_name((full, "Ann", "Lee Poe"))


@pytest.mark.parametrize("between", [NBSP, "\t"])
def test_a_surname_after_an_odd_blank_reaches_its_cell(synced: Company, between: str) -> None:
    (item, *_) = synced.sandbox.item_ids(BOARD_IDS["staff"])
    synced.sql("UPDATE users SET name = %s WHERE monday_item_id = %s", f"Ann{between}Lee", item)
    assert synced.push().code == 0
    assert (text(synced, item, "text25"), text(synced, item, "text1")) == ("Ann", "Lee")
    assert synced.sql("SELECT first_name, last_name FROM users WHERE monday_item_id = %s", item) == [("Ann", "Lee")]
    quiet(synced)


# Money, and every check that stands before a conversion ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "cents"),
    [
        ("999999999999.994", "999999999999.99"),
        ("999999999999.995", None),
        ("-999999999999.996", None),
        ("0.005", "0.01"),
        ("0E+9999", "0.00"),
        ("1e-9999", "0.00"),
        ("9e337203675808", None),
        ("NaN", None),
        ("sNaN", None),
        ("-Infinity", None),
        ("1E+3", "1000.00"),
    ],
)
def test_money_is_rounded_before_it_is_held_against_the_limit(raw: str, cents: str | None) -> None:
    amount, column = Decimal(raw), Column("c", MONEY, "t.c")
    assert (None if (found := in_cents(amount)) is None else str(found)) == cents
    assert MONEY.compare_key(amount) == MONEY.compare_key(Decimal(raw))
    if cents is None:
        with pytest.raises(CellError):
            MONEY.decode(Cell("c", text=raw))
        with pytest.raises(CellError):
            write_form(column, amount)
    else:
        assert write_form(column, amount) == cents


def test_an_amount_that_rounding_makes_too_large_is_named_in_the_dry_run_too(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {PRICE: "999999999999.996", "text40__1": "told too"}, force=True)
    synced.sandbox.advance(60)
    rehearsed, ended = synced.sync("--test"), synced.sync()
    assert (rehearsed.code, ended.code) == (5, 5)
    assert rehearsed.report["quarantined"] == ended.report["quarantined"] == 1
    assert rehearsed.report["plan"] == ended.report["plan"]
    assert synced.project(item, "description") == "told too"
    assert dead(synced) == {(item, PRICE)}


def test_a_nan_in_sql_is_refused_before_it_is_sent(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sql("UPDATE projects SET estimated_value = 'NaN', description = 'told too' WHERE monday_item_id = %s", item)
    rehearsed = synced.push("--test")
    synced.sandbox.reset_counters()
    ended = synced.push()
    assert (rehearsed.code, ended.code) == (5, 5), ended.err
    assert rehearsed.report["plan"] == ended.report["plan"]
    assert (text(synced, item, PRICE), text(synced, item, "text40__1")) == ("1001", "told too")
    for report in (rehearsed.report, ended.report):
        ((waits,),) = [[entry["column"] for entry in report["details"]["quarantined"]]]
        assert waits.endswith(".estimated_value")
    assert synced.sandbox.counters()["mutation_requests"] == 1
    assert synced.sync().writes == 0
    synced.sql("UPDATE projects SET estimated_value = 12 WHERE monday_item_id = %s", item)
    assert synced.push().code == 0
    quiet(synced)


BLANK = " " * 2_001


@pytest.mark.parametrize(
    ("codec", "value", "form"),
    [
        (TEXT, f"{BLANK}roof{NBSP}", "roof"),
        (NAME, f"{BLANK}Job", "Job"),
        (EMAIL, " ann@x.co\t", {"email": "ann@x.co", "text": "ann@x.co"}),
        (LINK, " https://x.co ", {"url": "https://x.co", "text": ""}),
        (PHONE, " 2025550172 ", {"phone": "2025550172", "countryShortName": "US"}),
        (STATUS, " Retail\n", {"index": 3}),
        (TEXT, BLANK, None),
    ],
)
def test_outer_blanks_go_before_a_value_is_checked(codec: Codec, value: str, form: Any) -> None:
    assert write_form(Column("c", codec, "t.c"), value, None, {"Retail": 3}) == form


# Dates with a time ----------------------------------------------------------------------------------------------------


def dated(value: str | None, time: str | None = "20:00:00") -> Cell:
    return Cell("c", "date", date="2026-04-30", time=time, value=value)


@pytest.mark.parametrize(
    ("was", "form"),
    [
        (dated('{"date":"2026-05-01","time":"01:00:00"}'), {"date": "2026-06-01", "time": "01:00:00"}),
        (dated('{"date":"2026-04-30"}', ""), {"date": "2026-06-01"}),
        (dated('{"date":"2026-04-30","time":null}', None), {"date": "2026-06-01"}),
        (dated("[]"), {"date": "2026-06-01"}),
        (dated("{"), {"date": "2026-06-01"}),
        (None, {"date": "2026-06-01"}),
    ],
)
def test_a_new_day_keeps_the_time_of_its_cell(was: Cell | None, form: Any) -> None:
    assert DATE.encode(date(2026, 6, 1), was) == form


def test_an_edit_of_the_day_in_sql_keeps_the_time_on_the_board(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {DAY: {"date": "2026-05-01", "time": "01:30:00"}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.sql("SELECT date_of_loss FROM storms") == [(date(2026, 5, 1),)]
    synced.sql("UPDATE storms SET date_of_loss = '2026-06-02'")
    assert synced.push().code == 0
    value = synced.sandbox.item(item)["cells"][DAY]["value"]
    assert '"date":"2026-06-02"' in value
    assert '"time":"01:30:00"' in value
    quiet(synced)


# Labels ---------------------------------------------------------------------------------------------------------------

TEAMS = {"Retail": 1, "retail": 2, "Caf\u00e9": 3, "Night  Shift": 4, "2023": 5, "\ufb01rst": 6}


@pytest.mark.parametrize(
    ("value", "label_id"),
    [("Retail", 1), ("retail", 2), ("RETAIL", 1), ("Cafe\u0301", 3), ("CAFE\u0301", 3), (f"night{NBSP}shift", 4),
     ("2023", 5), ("First", 6), ("Storm", None)],
)  # fmt: skip
def test_a_label_is_meant_by_its_text_then_its_capitals_then_its_unicode_form(value: str, label_id: int | None) -> None:
    column = Column("c", STATUS, "t.c")
    form = write_form(column, value, None, TEAMS, create_labels=True)
    assert form == ({"label": value} if label_id is None else {"index": label_id})


def test_two_spellings_of_a_new_label_make_one() -> None:
    columns = {"master": {"c": Column("c", STATUS, "t.c")}}
    options = PushOptions(columns, {"master": {"c": {"Retail": 1}}}, create_labels=True)
    from reconcile.edits import Edits

    planner = _Planner(Edits(), {}, options, {})
    forms = [planner._form("master", "c", value, None) for value in ("Night", "NIGHT", "retail", "night")]
    assert forms == [{"label": "Night"}, {"label": "Night"}, {"index": 1}, {"label": "Night"}]


TEAM = "(SELECT sales_team_id FROM projects WHERE monday_item_id = %s)"


@pytest.mark.parametrize("create", [(), ("--create-labels",)])
def test_a_label_in_other_capitals_is_no_edit_and_no_second_label(synced: Company, create: tuple[str, ...]) -> None:
    item, board = synced.sandbox.item_ids()[0], BOARD_IDS["master"]
    synced.sandbox.rename_label(board, "job_division___1__1", "Retail", "Caf\u00e9 Team")
    synced.sandbox.edit(item, {"job_division___1__1": {"label": "Caf\u00e9 Team"}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql(f"UPDATE sales_teams SET name = 'CAFE\u0301 team' WHERE id = {TEAM}", item)
    ended = synced.push(*create)
    assert (ended.code, ended.report["items"]["update"]) == (0, 0)
    assert text(synced, item, "job_division___1__1") == "Caf\u00e9 Team"
    assert synced.value(f"SELECT name FROM sales_teams WHERE id = {TEAM}", item) == "CAFE\u0301 team"
    quiet(synced)


# Links ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("HTTPS://x.co/A", "https://x.co/A", True),
        ("Http://X.CO/A?b=C#D", "http://x.co/A?b=C#D", True),
        ("https://x.co/A", "https://x.co/a", False),
        ("https://Ann@x.co", "https://ann@x.co", False),
        ("https://x.co", "http://x.co", False),
        ("X.co/A", "x.co/A", False),
    ],
)
def test_a_link_is_the_same_in_a_scheme_and_host_of_capitals(one: str, other: str, same: bool) -> None:
    assert (LINK.compare_key(one) == LINK.compare_key(other)) == same
    if "://" in one:
        url = write_form(Column("c", LINK, "t.c"), one)["url"]
        assert url.startswith(("http://", "https://"))
        assert LINK.compare_key(url) == LINK.compare_key(one)
        assert url.partition("://")[2] == one.partition("://")[2]


def test_a_link_with_its_scheme_in_capitals_goes_over(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    for link, code, writes in (("HTTPS://Jobs.example/A", 0, 1), ("https://jobs.example/A", 0, 0)):
        synced.sql("UPDATE projects SET link = %s WHERE monday_item_id = %s", link, item)
        ended = synced.push()
        assert (ended.code, ended.report["items"]["update"]) == (code, writes)
        assert text(synced, item, "link__1") == " - https://Jobs.example/A"
        quiet(synced)


# What a report shows --------------------------------------------------------------------------------------------------

LONG = "call two hours before you come, the gate code is "


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("Ann", "Bob", ("Ann", "Bob")),
        (None, LONG, ("(empty)", "call two hours before y…")),
        (LONG, None, ("call two hours before y…", "(empty)")),
        ("3685 Pine St, Cheyenne, WY", "3685 Pine St, Boulder, CO",
         ("3685 Pine St, Cheyenne,…", "3685 Pine St, Boulder, …")),
        (LONG + "7", LONG + "8", ("…ode is 7", "…ode is 8")),
        (LONG + "7", LONG + "7 or 8 or 9 or 10 or 11", ("…de is 7", "…de is 7 or 8 or 9 or 1…")),
        ("a" * 23 + "b", "a" * 23 + "c", ("a" * 23 + "b", "a" * 23 + "c")),
        ("roof", "roof ", ('"roof"', '"roof "')),
        ("Ann Lee", f"Ann{NBSP}Lee", ('"Ann Lee"', '"Ann\\u00a0Lee"')),
        ("a\nb", "a b", ('"a\\nb"', '"a b"')),
        ("x\u200b", "x", ('"x\\u200b"', '"x"')),
        ("caf\u00e9", "cafe\u0301", ('"caf\\u00e9"', '"cafe\\u0301"')),
        (LONG + "7", LONG + "7\u200d", ('…de is 7"', '…de is 7\\u200d"')),
        (Decimal("1.00"), Decimal("2.00"), ("1.00", "2.00")),
        (date(2026, 4, 30), date(2026, 5, 1), ("2026-04-30", "2026-05-01")),
        ("same", "same", ("same", "same")),
    ],
)  # fmt: skip
def test_a_report_shows_where_two_values_differ(before: Any, after: Any, shown: tuple[str, str]) -> None:
    assert contrasted(before, after) == shown


@given(st.sampled_from([LONG, "", "é" * 40]) | st.text(), st.text(max_size=60), st.text(max_size=60), st.text())
def test_what_differs_is_always_in_sight(head: str, one: str, other: str, tail: str) -> None:
    before, after = head + one + tail, head + other + tail
    shown = contrasted(before, after)
    assert all(len(text) <= LONGEST for text in shown)
    assert (shown[0] == shown[1]) == (before == after)
    assert shortened(before) == contrasted(before, None)[0]


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_a_dry_run_shows_the_end_of_a_long_change(synced: Company, direction: str) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {"text40__1": LONG + "7"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    if direction == "pull":
        synced.sandbox.edit(item, {"text40__1": LONG + "8"})
        synced.sandbox.advance(60)
        out = synced.run("--test").out
    else:
        synced.sql("UPDATE projects SET description = %s WHERE monday_item_id = %s", LONG + "8", item)
        out = synced.run("--test", program="sync_pg_to_monday.py").out
    assert "…ode is 7 → …ode is 8" in out


@pytest.mark.parametrize(("street", "shown"), [("5 Elm St", "5 Elm St, Reno"), (None, "")])
def test_a_new_item_shows_the_parts_of_its_address_or_it_is_listed(
    synced: Company, street: str | None, shown: str
) -> None:
    customer = "(SELECT id FROM customers ORDER BY name LIMIT 1)"
    synced.sql(f"INSERT INTO properties (customer_id, street, city) VALUES ({customer}, %s, 'Reno')", street)
    synced.sql(
        "INSERT INTO projects (item_name, customer_id, property_id)"
        f" SELECT 'From SQL', customer_id, id FROM properties WHERE customer_id = {customer} AND city = 'Reno'"
    )
    ended = synced.push("--max-create", "1")
    (item,) = synced.sandbox.find(BOARD_IDS["master"], "From SQL")
    assert (ended.code, text(synced, item, ADDRESS_CELL)) == (0 if shown else 5, shown)
    for _ in range(2):
        synced.sandbox.advance(60)
        synced.sync()
        again = synced.push()
        assert (again.code, again.report["items"]["update"]) == (0 if shown else 5, 0)
    synced.sql("UPDATE properties SET address = '7 Oak Ave, Elko, NV 89801' WHERE city = 'Reno'")
    assert synced.push().code == 0
    assert text(synced, item, ADDRESS_CELL) == "7 Oak Ave, Elko, NV 89801"
    quiet(synced)


def test_a_project_moved_to_an_address_without_a_place_waits_as_a_whole(synced: Company) -> None:
    first, second = synced.sandbox.item_ids()[:2]
    synced.sandbox.edit(second, {ADDRESS_CELL: "behind the church"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    before = text(synced, first, ADDRESS_CELL)
    synced.sql(f"UPDATE properties SET city = 'Reno' WHERE id = {PROPERTY}", second)
    synced.sql(f"UPDATE projects SET property_id = {PROPERTY} WHERE monday_item_id = %s", second, first)
    for _ in range(2):
        assert synced.push().code == 5
        assert synced.sync().code == 5
    assert (text(synced, first, ADDRESS_CELL), text(synced, second, ADDRESS_CELL)) == (before, "behind the church")
    synced.sql("UPDATE properties SET city = NULL WHERE city = 'Reno'")
    assert synced.push().code == 0
    assert text(synced, first, ADDRESS_CELL) == "behind the church"
    quiet(synced)
