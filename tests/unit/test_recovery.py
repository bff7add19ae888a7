"""What each unfinished request of the journal means, given what was read: tables of cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from models import RowId
from reconcile import recovery
from reconcile.journal_ops import ChangeOp, CreateOp, JournalOp, OpenBatch, Seen, Sender
from reconcile.recovery import Age, Answer, Candidates, OpDecision, Step, WriteState

MINUTE = 60.0
MASTER, STAFF = 10, 20
A, B = RowId("row-a"), RowId("row-b")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DONE, NOT_DONE, EDITED = Seen


def change(place: int, item_id: int) -> JournalOp:
    return JournalOp(place, item_id, None, ChangeOp({}, {}))


def create(place: int, row: RowId | None = None, name: str = "New job", item_id: int | None = None) -> JournalOp:
    return JournalOp(place, item_id, row or RowId(f"row-{place}"), CreateOp(name, {}, {}))


def batch(
    *ops: JournalOp,
    kind: str = "change",
    body: str = "{}",
    job_id: str | None = None,
    age_s: float = 0.0,
    sender: Sender | None = None,
) -> OpenBatch:
    return OpenBatch(1, MASTER, kind, "key", body, job_id, age_s, sender or Sender(), list(ops))


def verdicts(decisions: Iterable[OpDecision]) -> dict[int, tuple[WriteState, tuple[int, ...]]]:
    told = list(decisions)
    assert all(decision.reason for decision in told)
    return {decision.op.place: (decision.verdict, decision.items) for decision in told}


# What is done next about a batch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boards", "reads_only", "claimed", "version_known", "step"),
    [
        ({MASTER, STAFF}, False, (), True, Step.SETTLE),
        ({MASTER, STAFF}, True, (), True, Step.LEAVE),
        ({STAFF}, False, (), True, Step.LEAVE),
        ({MASTER}, False, {STAFF}, True, Step.SETTLE),
        ({MASTER}, False, {MASTER}, True, Step.LEAVE),
        ({MASTER}, False, (), False, Step.LEAVE),
    ],
    ids=["ours", "a dry run", "another board", "another board is lost", "its board is lost", "a strange version"],
)
def test_which_batches_a_run_settles(
    boards: Collection[int], reads_only: bool, claimed: Collection[int], version_known: bool, step: Step
) -> None:
    decision = recovery.first_step(batch(), boards, reads_only=reads_only, claimed=claimed, version_known=version_known)
    assert decision.step is step
    assert decision.reason


@pytest.mark.parametrize(
    ("shown", "age_s", "step"),
    [
        ({DONE}, 0, Step.SETTLE),
        ({DONE}, 60 * MINUTE, Step.SETTLE),
        ({NOT_DONE}, 0, Step.SEND_AGAIN),
        ({NOT_DONE}, 25 * MINUTE - 1, Step.SEND_AGAIN),
        ({NOT_DONE}, 25 * MINUTE, Step.SETTLE),
        ({DONE, NOT_DONE}, 0, Step.SEND_AGAIN),
        ({EDITED}, 0, Step.WAIT),
        ({EDITED, NOT_DONE}, 0, Step.WAIT),
        ({EDITED, DONE}, 119, Step.WAIT),
        ({EDITED, NOT_DONE}, 120, Step.SETTLE),
        (set(), 0, Step.SETTLE),
    ],
)
def test_what_is_done_about_cells_on_their_way(shown: set[Seen], age_s: float, step: Step) -> None:
    assert recovery.change_step(shown, age_s).step is step


@pytest.mark.parametrize(("age_s", "step"), [(0, Step.WAIT), (119, Step.WAIT), (120, Step.SETTLE)])
def test_cells_of_which_no_answer_came_again(age_s: float, step: Step) -> None:
    assert recovery.unanswered_change_step(age_s).step is step


@pytest.mark.parametrize(
    ("age_s", "step"), [(0, Step.SEND_AGAIN), (25 * MINUTE - 1, Step.SEND_AGAIN), (25 * MINUTE, Step.LOOK)]
)
def test_what_is_done_about_items_to_be_archived(age_s: float, step: Step) -> None:
    assert recovery.archive_step(age_s).step is step


@pytest.mark.parametrize(
    ("monday", "postgres", "step", "unanswered"),
    [
        (0, 0, Step.SEND_AGAIN, Step.WAIT),
        (24, 24, Step.SEND_AGAIN, Step.WAIT),
        (25, 25, Step.WAIT, Step.WAIT),
        (24, 25, Step.WAIT, Step.WAIT),
        (25, 24, Step.WAIT, Step.WAIT),
        (34, 90, Step.WAIT, Step.WAIT),
        (35, 35, Step.LOOK, Step.LOOK),
        (35, 0, Step.LOOK, Step.LOOK),
        (-90, 0, Step.SEND_AGAIN, Step.WAIT),
    ],
)
def test_what_is_done_about_new_items(monday: float, postgres: float, step: Step, unanswered: Step) -> None:
    """`monday` and `postgres`: minutes by either clock."""
    age = Age(monday * MINUTE, postgres * MINUTE)
    assert recovery.create_step(age).step is step
    assert recovery.unanswered_create_step(age).step is unanswered


@pytest.mark.parametrize(
    ("job_id", "made", "age_s", "step"),
    [
        (None, None, 0, Step.SETTLE),
        ("job", {0: 7}, 0, Step.SETTLE),
        ("job", {}, 0, Step.SETTLE),
        ("job", None, 119, Step.WAIT),
        ("job", None, 120, Step.LOOK),
    ],
    ids=["never started", "told", "told that nothing was made", "silent, young", "silent"],
)
def test_what_is_done_about_a_bulk_job(
    job_id: str | None, made: Mapping[int, int] | None, age_s: float, step: Step
) -> None:
    assert recovery.job_step(batch(kind="ingest", job_id=job_id, age_s=age_s), made).step is step


# What became of each op -----------------------------------------------------------------------------------------------


def test_an_answer_tells_of_each_op_by_its_place() -> None:
    answers = [Answer(101), Answer(), Answer(unread=True)]
    assert verdicts(recovery.answered([create(2), create(0), create(1)], answers)) == {
        0: (WriteState.DONE, (101,)),
        1: (WriteState.NOT_DONE, ()),
        2: (WriteState.IN_DOUBT, ()),
    }


def test_items_tell_what_was_written_to_them() -> None:
    ops = [change(place, 100 + place) for place in range(4)]
    assert verdicts(recovery.changes_shown(ops, {100: DONE, 101: NOT_DONE, 102: EDITED})) == {
        0: (WriteState.DONE, ()),
        1: (WriteState.NOT_DONE, ()),
        2: (WriteState.NOT_DONE, ()),
        3: (WriteState.NOT_DONE, ()),
    }


def test_an_archive_that_is_not_proved_is_made_again() -> None:
    ops = [JournalOp(place, 100 + place, None, None) for place in range(3)]
    told = recovery.archives_answered(ops, [Answer(100), Answer(), Answer(unread=True)])
    shown = recovery.archives_shown(ops, {100, 999})
    expected = {0: (WriteState.DONE, ()), 1: (WriteState.NOT_DONE, ()), 2: (WriteState.NOT_DONE, ())}
    assert verdicts(told) == verdicts(shown) == expected


def test_a_job_tells_which_rows_became_items() -> None:
    assert verdicts(recovery.creates_told([create(0), create(1)], {1: 7})) == {
        0: (WriteState.NOT_DONE, ()),
        1: (WriteState.DONE, (7,)),
    }


def sure(*ids: int) -> Candidates:
    return Candidates(list(ids), True, "why")


def unsure(*ids: int) -> Candidates:
    return Candidates(list(ids), False, "why")


@pytest.mark.parametrize(
    ("rows", "candidates", "found"),
    [
        ({A: None}, {0: sure(7)}, {0: (WriteState.DONE, (7,))}),
        ({A: None}, {0: sure()}, {0: (WriteState.NOT_DONE, ())}),
        ({A: None}, {0: unsure()}, {0: (WriteState.NOT_DONE, ())}),
        ({A: None}, {0: unsure(7)}, {0: (WriteState.AMBIGUOUS, (7,))}),
        ({A: None}, {0: sure(7, 8)}, {0: (WriteState.AMBIGUOUS, (7, 8))}),
        ({A: 9}, {}, {0: (WriteState.DONE, (9,))}),
        ({}, {0: sure(7)}, {0: (WriteState.DONE, (7,))}),
        ({}, {0: sure(7, 8)}, {0: (WriteState.NOT_DONE, ())}),
        ({}, {0: unsure(7)}, {0: (WriteState.NOT_DONE, ())}),
    ],
    ids=[
        "the one item",
        "no item",
        "no item, whatever its name",
        "one of another name",
        "two items",
        "a person has linked it",
        "the one item, its row is deleted",
        "two items, its row is deleted",
        "one of another name, its row is deleted",
    ],
)
def test_what_became_of_a_new_item_that_was_looked_for(
    rows: Mapping[RowId, int | None],
    candidates: Mapping[int, Candidates],
    found: dict[int, tuple[WriteState, tuple[int, ...]]],
) -> None:
    assert verdicts(recovery.creates_found([create(0, A)], rows, candidates)) == found


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (sure(7), sure(8), [(WriteState.DONE, (7,)), (WriteState.DONE, (8,))]),
        (sure(7), sure(7), [(WriteState.AMBIGUOUS, (7,)), (WriteState.AMBIGUOUS, (7,))]),
        (sure(7), unsure(7), [(WriteState.AMBIGUOUS, (7,)), (WriteState.AMBIGUOUS, (7,))]),
        (sure(7), sure(7, 8), [(WriteState.AMBIGUOUS, (7,)), (WriteState.AMBIGUOUS, (7, 8))]),
        (sure(7), unsure(8), [(WriteState.DONE, (7,)), (WriteState.AMBIGUOUS, (8,))]),
    ],
)
def test_one_item_is_not_two_rows(
    first: Candidates, second: Candidates, found: list[tuple[WriteState, tuple[int, ...]]]
) -> None:
    decisions = recovery.creates_found([create(0, A), create(1, B)], {A: None, B: None}, {0: first, 1: second})
    assert list(verdicts(decisions).values()) == found


def test_an_item_that_another_request_may_have_made_is_nobodys_for_certain() -> None:
    decisions = recovery.creates_found([create(0, A)], {A: None}, {0: sure(7)}, {7})
    assert verdicts(decisions) == {0: (WriteState.AMBIGUOUS, (7,))}
    assert verdicts(recovery.creates_found([create(0, A)], {A: None}, {0: sure(7)}, {8})) == {
        0: (WriteState.DONE, (7,))
    }


def test_what_a_person_has_linked_is_not_looked_for() -> None:
    ops = [create(0, A), create(1, B), create(2)]
    assert [op.place for op in recovery.unlinked(ops, {A: 9, B: None})] == [1, 2]


# Which items may be the new ones --------------------------------------------------------------------------------------


NAMES = {1: "A", 2: " A ", 3: "B", 4: "X"}


@pytest.mark.parametrize(
    ("names", "made", "found"),
    [
        ({0: "A"}, [], {0: ([], False)}),
        ({0: "B"}, [3], {0: ([3], True)}),
        ({0: "B"}, [3, 4], {0: ([3], True)}),
        ({0: "A"}, [1, 2], {0: ([1, 2], True)}),
        ({0: "A", 1: "C"}, [1, 2], {0: ([1, 2], True), 1: ([1, 2], False)}),
        ({0: "A", 1: "A", 2: "C"}, [1, 2], {0: ([1, 2], True), 1: ([1, 2], True), 2: ([], False)}),
        ({0: "C"}, [4], {0: ([4], False)}),
        ({0: "C"}, [3, 4], {0: ([3, 4], False)}),
        ({0: "B", 1: "C"}, [3, 4], {0: ([3], True), 1: ([4], False)}),
        ({0: "B", 1: "C"}, [3], {0: ([3], True), 1: ([], False)}),
        ({0: "B", 1: "B"}, [3], {0: ([3], True), 1: ([3], True)}),
    ],
)
def test_which_items_may_be_the_lost_one(
    names: dict[int, str], made: list[int], found: dict[int, tuple[list[int], bool]]
) -> None:
    ops = [create(place, name=name) for place, name in names.items()]
    candidates = recovery.named_candidates(ops, {item: NAMES[item] for item in made})
    assert {place: (maybe.ids, maybe.sure) for place, maybe in candidates.items()} == found


def test_an_item_that_is_somebodys_is_no_candidate() -> None:
    named = recovery.named_candidates([create(0, name="A")], NAMES, taken={1, 3})
    marked = recovery.marked_candidates({0: [2, 1], 1: [3]}, taken={1, 3})
    assert {place: maybe.ids for place, maybe in named.items()} == {0: [2]}
    assert {place: (maybe.ids, maybe.sure) for place, maybe in marked.items()} == {0: ([2], True), 1: ([], True)}


@pytest.mark.parametrize(
    ("body", "carried"),
    [("", True), ('{"monday_sync_id": 1}', True), ('{"text1": 1}', False)],
    ids=["file", "yes", "no"],
)
def test_which_requests_carry_the_marker(body: str, carried: bool) -> None:
    assert recovery.carried_marker(batch(body=body), "monday_sync_id") is carried


@pytest.mark.parametrize(
    ("answered_at", "sent_at", "age"),
    [
        (NOON, NOON - timedelta(minutes=3), Age(180, 7)),
        (NOON - timedelta(minutes=3), NOON, Age(-180, 7)),
        (None, NOON, Age(7, 7)),
        (NOON, None, Age(7, 7)),
    ],
    ids=["both told", "set back since", "monday tells no time", "an older program's"],
)
def test_the_age_of_a_request(answered_at: datetime | None, sent_at: datetime | None, age: Age) -> None:
    assert recovery.age_of(batch(age_s=7, sender=Sender(sent_at)), answered_at) == age


@pytest.mark.parametrize(
    ("answered_at", "sent_at", "minutes"),
    [
        (NOON, NOON - timedelta(minutes=40), -45),
        (None, NOON - timedelta(minutes=40), -45),
        (NOON - timedelta(hours=1), None, -60 - 40 - 5),
        (None, None, -40 - 24 * 60),
    ],
    ids=["by monday's time", "monday's time then", "an older program's", "no time at all"],
)
def test_since_when_an_item_may_have_been_made(
    answered_at: datetime | None, sent_at: datetime | None, minutes: int
) -> None:
    lost = batch(age_s=40 * MINUTE, sender=Sender(sent_at))
    assert recovery.made_since(lost, answered_at, here=NOON) - NOON == timedelta(minutes=minutes)
