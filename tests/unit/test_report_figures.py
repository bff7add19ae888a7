"""What the report says, from rows that were made up here: no database, no page."""

from __future__ import annotations

import doctest
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models import TABLES
from postgres.report import BoardMemory, DayOfChanges, DayOfDurations, DayOfRuns, StageTime, TableFill
from postgres.window_items import Items
from postgres.window_open import Kind, OpenThing, Waiting
from postgres.window_runs import RunLine
from postgres.window_state import About, BoardRead
from reconcile.columns import TEXT, Column
from status.report import charts, days, page, shown
from status.report.facts import Facts, day_edges
from status.report.figures import judge, make_figures
from status.report.page import told
from status.report.picture import draw
from status.report.shown import Chart, Figures, Series
from status.standing import Direction, Standing
from status.window import Words

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("module", [charts, days, page, shown], ids=lambda module: str(module.__name__))
def test_the_examples_are_true(module: Any) -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 0) == (0, True)


def run(ago: timedelta, code: int | None = 0, direction: str = "monday_to_pg", reason: str | None = None) -> RunLine:
    ended = NOW - ago if code is not None else None
    return RunLine(
        "r1", direction, NOW - ago, ended, code, 2.0, reason, None, {}, None, None, {"monday": 0, "postgres": 0}, 0, 0.0
    )


def standing(
    pull: tuple[RunLine | None, RunLine | None] = (run(HOUR), run(HOUR)),
    push: tuple[RunLine | None, RunLine | None] = (None, None),
    open_: Mapping[Kind, tuple[int, datetime | None]] | None = None,
) -> Standing:
    """Of both directions the newest run and the newest good one."""
    directions = (
        Direction("monday_to_pg", *pull, failed=0, newest_failed=None),
        Direction("pg_to_monday", *push, failed=0, newest_failed=None),
    )
    about = About(NOW, 13, "18.1", 12.0)
    boards = {"master": BoardRead(NOW - HOUR, NOW - 2 * HOUR)}
    return Standing(about, directions, boards, Waiting(0, 0), open_ or {}, None)


def facts(**given: Any) -> Facts:
    usual: dict[str, Any] = {
        "standing": standing(), "edges": day_edges(NOW, timedelta(days=3)), "runs": [], "durations": [], "bad_runs": [],
        "bad_count": 0, "stages": [], "changes": [], "calls": {}, "limit": None, "things": [], "conflicts": [],
        "items": Items({}, {}), "names": {}, "fill": {}, "boards": [],
    }  # fmt: skip
    return Facts(**usual | given)


def figures(**given: Any) -> Figures:
    return make_figures(facts(**given), {"master": {"text1": Column("Stage", TEXT, "projects.current_stage")}}, Words())


OLD = run(timedelta(days=3))


@pytest.mark.parametrize(
    ("known", "level", "begins"),
    [
        (standing(), "good", "Everything is all right: the sync ended well, 60 min ago at most"),
        (standing(push=(run(2 * HOUR), run(2 * HOUR))), "good", "Everything is all right: both directions"),
        (standing(open_={"conflict": (1, NOW - 30 * HOUR)}), "open", "The sync works, and 1 thing waits for a"),
        (standing(open_={"value": (3, None)}), "open", "The sync works, and 3 things wait for a person."),
        (standing((run(HOUR, 7), OLD)), "bad", "Something is wrong: the last run monday → PostgreSQL failed 60 min"),
        (standing((run(HOUR, None), run(HOUR))), "bad", "Something is wrong: the last run monday → PostgreSQL was"),
        (standing((run(HOUR, 4), OLD), open_={"op": (2, None)}), "bad", "Something is wrong: the last run monday →"),
        (standing((OLD, OLD)), "bad", "Something is wrong: monday → PostgreSQL has not run for 3 days."),
        (standing((None, None)), "open", "Nothing has been synced yet"),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(known: Standing, level: str, begins: str) -> None:
    assert judge(known)[0] == level
    assert judge(known)[1].startswith(begins)
    assert judge(known)[1].count(". ") == 0


@pytest.mark.parametrize(
    ("length", "bars", "covered"), [("12h", 1, 1), ("30d", 30, 30), ("92d", 92, 92), ("93d", 14, 98)]
)
def test_days_begin_at_midnight_here_and_weeks_take_their_place(length: str, bars: int, covered: int) -> None:
    span = timedelta(hours=12) if length == "12h" else timedelta(days=int(length[:-1]))
    edges = day_edges(NOW, span)
    assert len(edges) == bars
    assert {(edge.hour, edge.minute) for edge in edges} == {(0, 0)}
    assert (NOW.astimezone().date() - edges[0].date()).days == covered - 1


def test_each_number_stands_at_its_day_and_in_its_colour() -> None:
    found = figures(
        runs=[
            DayOfRuns(0, "monday_to_pg", 0, 3),
            DayOfRuns(0, "pg_to_monday", 5, 1),
            DayOfRuns(2, "monday_to_pg", None, 1),
        ],
        durations=[DayOfDurations(1, "monday_to_pg", 2.5, 30.0)],
        changes=[DayOfChanges(1, "postgres", "projects", "update", 7), DayOfChanges(1, "monday", "", "create", 2)],
        calls={date(2026, 11, 28): 12.0, date(2026, 11, 27): 40.0},
        limit=100,
        stages=[StageTime("monday_to_pg", "fetch", 30.0, 10), StageTime("monday_to_pg", "plan", 10.0, 10)],
    )
    assert [(each.hue, each.values) for each in found.runs.series] == [
        ("good", [3, None, None]),
        ("a1", [1, None, None]),
        ("bad", [None, None, 1]),
    ]
    assert found.durations.series[0].values == [None, 2.5, None]
    assert "30.0 s" in found.longest
    assert found.changes_on["postgres"].series[0].values == [None, 7, None]
    assert [(row.table, dict(row.postgres), dict(row.monday)) for row in found.changes] == [
        ("projects", {"update": 7}, {}),
        ("items", {}, {"create": 2}),
    ]
    assert found.calls.series[0].values == [None, 40.0, 12.0]
    assert found.calls_note.startswith("12 of 100 today (12 %); the most on one day were 40, on 27 November, 40 %")
    assert [(part.name, part.seconds, part.share) for part in found.stages[0].parts] == [
        ("fetch", "3.0 s", 0.75),
        ("plan", "1.0 s", 0.25),
    ]


def test_open_things_are_counted_by_age() -> None:
    ages = [HOUR, 30 * HOUR, 200 * HOUR, None]
    things = [
        OpenThing(
            "cell", ("cell", 1, n, "text1"), 1, n, "text1", None, None, "is none", None if age is None else NOW - age
        )
        for n, age in enumerate(ages, 1)
    ]
    found = figures(things=things)
    (kind,) = found.kinds
    assert (kind.count, kind.day, kind.week, kind.older, kind.undated, kind.oldest) == (4, 1, 1, 1, 1, "8 days")
    assert [thing.age for thing in found.things] == ["8 days", "30 h", "60 min", ""]


def test_a_column_of_the_mapping_that_the_board_has_not_is_named_and_the_others_are_listed() -> None:
    board = BoardMemory("master", 1, "Jobs", ("other",), (("x1", "Colour", "status"),))
    (coverage,) = figures(boards=[board]).coverage
    assert [column.title for column in coverage.missing] == ["Stage"]
    assert (coverage.title, coverage.others) == ("Jobs", (("Colour", "status"),))
    (unread,) = figures().coverage
    assert (unread.missing, unread.others) == ((), None)


def test_no_line_of_the_picture_crosses_a_box() -> None:
    """Each line ends at a box, and boxes stand apart, also where there is a table that nobody knew."""
    columns = {table: list(model.__struct_fields__) for table, model in TABLES.items()}
    for known in (columns, {"projects": ["id", "customer_id"], "customers": ["id"]}, {"storms": ["id"]}):
        for picture in draw(known):
            boxes = {box.table: box for box in picture.boxes}
            assert boxes.keys() == known.keys()
            spots = [(box.x, box.y, box.right, box.y + box.height) for box in picture.boxes]
            for n, (left, top, right, bottom) in enumerate(spots):
                assert 0 <= left < right <= picture.width
                assert 0 <= top < bottom <= picture.height
                for other in spots[n + 1 :]:
                    assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            for line in picture.lines:
                box = boxes[line.at]
                assert line.end[0] in (box.x, box.right, box.center)
                assert line.end[1] in (box.middle, box.y, box.y + box.height)
    assert draw({}) == ()
    assert len(draw(columns)[0].lines) == 12


def test_a_column_is_full_only_where_it_is() -> None:
    fill = {
        "projects": TableFill(3, {"id": 3, "name": 2, "customer_id": 3}),
        "customers": TableFill(0, {"id": 0, "name": 0}),
    }
    found = figures(fill=fill)
    projects, customers = found.table("projects"), found.table("customers")
    assert [(column.name, round(column.share, 2), column.target) for column in projects.columns] == [
        ("name", 0.67, ""),
        ("customer_id", 1.0, "customers"),
    ]
    assert customers.shown_by == "100 % of projects"
    assert customers.share == 0


def chart(*values: float | None) -> Chart:
    return Chart(
        'A "chart" <of> & things', [f"{n} Nov" for n in range(1, len(values) + 1)], [Series("<b>", "good", values)]
    )


@pytest.mark.parametrize("values", [(1.0, None, 3.0), (0.0, 0.0), (None,), (1e9, 1.0), (0.001, 0.002)])
def test_a_chart_is_a_drawing_and_nothing_else(values: tuple[float | None, ...]) -> None:
    for drawn in (charts.stacked(chart(*values)), charts.lines(chart(*values), shown=charts.counted)):
        assert drawn.startswith(
            '<svg class="chart" role="img" aria-label="A &quot;chart&quot; &lt;of&gt; &amp; things"'
        )
        assert not re.search(r"<script|<style|<\?xml|<!--|https?://|xlink|\bon[a-z]+=|\bid=|<b>", drawn)
        assert len(drawn) < 3_000


def test_a_chart_names_its_values_and_its_limit() -> None:
    drawn = charts.stacked(chart(5, None, 40), limit=50)
    assert "3 Nov: 40 &lt;b&gt;" in drawn
    assert 'class="major">50</text>' in drawn
    assert "5,000" not in charts.stacked(chart(5, None, 4), limit=5_000)


def test_a_text_is_one_line_and_says_how_long_it_is() -> None:
    assert told("a\n\tb\x00\u202ec\x1b[31m") == "a b\\u0000\\u202ec\\u001b[31m"
    assert told("=1+1") == "=1+1"
    assert told("x" * 5_000) == "x" * 160 + "… (5,000 signs)"


def test_a_year_has_a_bar_a_week() -> None:
    known = replace(facts(), edges=day_edges(NOW, timedelta(days=365)), calls={date(2026, 11, 28): 3.0})
    found = make_figures(known, {}, Words())
    assert found.by == "week"
    assert found.calls.series[0].values[-1] == 3.0
