"""IDs of open things, gaps between runs, and what a person may pick by: decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from reconcile.errors import ConfigError
from status import ids
from status.gaps import gaps
from status.picking import ItemId, Since, field_name, known_item, one_of, row_place
from terminal.times import iso, local, parse_span, span, zone

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_an_id_is_the_same_on_every_machine() -> None:
    """They are written into tickets: these do not change."""
    assert ids.letter_id("op", 6727219152, 9000000005, "email57__1") == "dk3dxp7t2"
    assert ids.value_id("projects.7f1c.total_payment") == "vt0w12sw5"
    assert ids.deleted_id(6727219152, 9000000002) == "ryseydk6w"
    assert ids.waiting_id("fanned", "customers.7f1c") == "wa1vcxw1h"
    assert (ids.conflict_id(12), ids.doubt_id(3, 1)) == ("c12", "o3.1")


def test_no_two_things_share_one() -> None:
    made = {ids.letter_id("cell", 1, item, place) for item in range(2_000) for place in ("a", "b", "c")}
    made |= {ids.letter_id("row", 1, item, "a") for item in range(2_000)}
    assert len(made) == 8_000
    assert all(map(ids.is_id, made))


@pytest.mark.parametrize("text", ["", "c", "c0", "c-1", "x12", "d123", "D7K2M9QXW", "o3", "o3.", "c12 ", "dddddddddd"])
def test_what_is_no_id(text: str) -> None:
    assert not ids.is_id(text)
    assert ids.conflict_number(text) is None


def test_a_mistyped_one_has_a_nearest() -> None:
    known = [ids.letter_id("op", 1, item, "a") for item in range(100)]
    mistyped = known[7][:-1] + ("0" if known[7][-1] != "0" else "1")
    assert ids.nearest(mistyped, known) == known[7]
    assert ids.nearest("c12", []) is None


def every(*hours: float) -> list[datetime]:
    """Runs that began so many hours before noon."""
    return [NOON - timedelta(hours=before) for before in hours]


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ((), []),
        ((1,), []),
        ((26,), [26]),
        ((30, 2), [28]),
        ((5, 4, 3, 2, 1), []),
        ((5, 4, 3, 1), [2]),
        ((30, 29, 28, 2, 1), [26]),
        ((3, 2.75, 2.5, 2.25, 1.5, 1.25), [1.25]),
        ((96, 72, 48, 24), []),
        ((120, 96, 72, 24), [48]),
        ((504, 336, 168), [168, 168, 168]),
    ],
)
def test_a_gap_is_longer_than_is_usual(hours: tuple[float, ...], found: list[float]) -> None:
    """The last of them goes on until now. Under an hour there is none, and two pauses do not tell what is usual."""
    lengths = [length / timedelta(hours=1) for _run, length in gaps(every(*hours), NOON)]
    assert lengths == found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7_200),
        (" 90 min ", 5_400),
        ("90m", 5_400),
        ("1W", 604_800),
        ("0s", 0),
        ("h", None),
        ("-1h", None),
        ("", None),
    ],
)
def test_a_length_of_time(text: str, seconds: int | None) -> None:
    found = parse_span(text)
    assert (None if found is None else found.total_seconds()) == seconds


def test_times_have_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for name, shown in (("Europe/Berlin", "+01:00"), ("America/St_Johns", "-03:30"), ("UTC", "+00:00")):
        monkeypatch.setenv("TZ", name)
        time.tzset()
        assert zone(NOON) == shown
        assert local(NOON).endswith(shown)
        assert datetime.fromisoformat(iso(NOON)) == NOON
    monkeypatch.undo()
    time.tzset()
    assert span(timedelta(seconds=-5)) == "0 s"


def converted(kind: click.ParamType[Any], text: str) -> Any:
    return kind.convert(text, None, None)


def test_since_is_a_length_or_a_day() -> None:
    assert timedelta(days=6, hours=23) < datetime.now(UTC) - converted(Since(), "7d") < timedelta(days=7, hours=1)
    assert converted(Since(), "2026-11-01T08:00+00:00") == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert converted(Since(), "2026-11-01").tzinfo is not None
    for wrong in ("soon", "2026-13-01", "-7d"):
        with pytest.raises(click.BadParameter, match="neither a length of time"):
            converted(Since(), wrong)


def test_an_item_is_its_number_or_its_address() -> None:
    assert converted(ItemId(), "9000000002") == 9000000002
    assert converted(ItemId(), "https://acme.monday.com/boards/6727219152/pulses/9000000002") == 9000000002
    for wrong in ("0", "-3", "Job 1", "https://acme.monday.com/boards/6727219152"):
        with pytest.raises(click.BadParameter, match="no number of an item"):
            converted(ItemId(), wrong)


RUNS = ["20261128T114617-94bb80", "20261128T114616-9ae908", "20261120T040000-d2993c"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (RUNS[0], RUNS[0]),
        ("94bb80", RUNS[0]),
        ("20261120", RUNS[2]),
        ("20261128", "2 runs are meant by 20261128"),
        ("94bb81", "There is no run 94bb81: did you mean"),
        ("20261120T040000-d2993d", f"did you mean {RUNS[2]}?"),
        ("", "There is no run"),
    ],
)
def test_a_run_is_meant_by_as_much_as_tells_it(text: str, found: str) -> None:
    if found in RUNS:
        assert one_of("run", text, RUNS, ends=True) == found
        return
    with pytest.raises(ConfigError) as refused:
        one_of("run", text, RUNS, ends=True)
    assert found in str(refused.value)


@pytest.mark.parametrize(
    ("pick", "says"),
    [
        (lambda: field_name("project.description"), "did you mean projects.description?"),
        (lambda: row_place("project/7"), "did you mean projects?"),
        (lambda: row_place("projects"), "--row projects names no row"),
        (lambda: known_item(9000000021, {9000000002, 17}), "did you mean 9000000002?"),
        (lambda: known_item(7, ()), "Nothing is remembered of item 7: no item is known yet."),
        (lambda: one_of("row", "7f", []), "There is no row 7f: no row is known yet."),
    ],
)
def test_what_there_is_not_ends_with_the_nearest(pick: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pick()
    assert (says in str(refused.value), refused.value.exit_code) == (True, 2)


def test_what_there_is_is_taken() -> None:
    assert field_name("projects.description") == "projects.description"
    assert row_place("projects/7F1C") == ("projects", "7f1c")
    assert known_item(7, {7}) == 7
