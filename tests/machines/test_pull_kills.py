"""A pull that is killed anywhere, and the run after it: both schemas end as if nothing had happened, and no file is
left half done.

The points are found by a run that is left alone (`tests/support/killing.py`), so that a new one is killed at as well.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2 import extensions

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company
from tests.support.killing import (
    SOAK,
    Companies,
    Killer,
    Point,
    Way,
    everything,
    sound_files,
)
from tests.support.servers import Keywords

PULL = "sync_monday_to_pg.py"
TEXT = "text40__1"
PRICE = "numbers0"
NOTE = "text43__1"


def as_found(company: Company) -> None:
    """Nothing was synced yet; one table is there, without most of its columns."""
    company.sql("CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL)")
    company.sql("INSERT INTO customers (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'Somebody')")


def edited(company: Company) -> None:
    """Synced, and since then something new, changed, emptied, re-pointed, edited on both sides."""
    assert company.sync().outcome == 0
    company.sql("UPDATE projects SET description = 'from PostgreSQL' WHERE item_name = 'Job 5'")
    company.sql("UPDATE customers SET notes = 'waits for a push' WHERE name = 'Owner 6'")
    sandbox = company.sandbox
    sandbox.advance(60)
    first, second, third, _, fifth, _ = sandbox.item_ids(MASTER_BOARD_ID)
    sandbox.edit(first, {PRICE: "77", NOTE: "call first"})
    sandbox.edit(second, {TEXT: ""})
    sandbox.edit(third, {"text65__1": "Owner 8", "email4__1": {"email": "owner8@mail.example", "text": ""}})
    sandbox.edit(fifth, {TEXT: "from monday"})
    sandbox.create(MASTER_BOARD_ID, "Job 9", {"text65__1": "Owner 9", TEXT: "Roof 9", PRICE: "9"})
    sandbox.create(STAFF_BOARD_ID, "Rep 9 Green", {"text25": "Rep 9", "text1": "Green"})


def edited_and_gone(company: Company) -> None:
    """The same, and two items are not there any more: changes alone do not add up, everything is read."""
    edited(company)
    fourth, sixth = (company.sandbox.find(MASTER_BOARD_ID, name)[0] for name in ("Job 4", "Job 6"))
    company.sandbox.archive(fourth)
    company.sandbox.delete(sixth)


SCENES: dict[str, tuple[Callable[[Company], None], Way]] = {
    "first": (as_found, Way(PULL, ())),
    "changes": (edited, Way(PULL, ("--on-conflict", "pg"))),
    "gone": (edited_and_gone, Way(PULL, ("--on-conflict", "pg"))),
}


class Scene:
    """Companies before one kind of run, and how that run leaves them."""

    def __init__(self, name: str, companies: Companies, killer: Killer) -> None:
        self.name, self.way, self.killer, self._companies = name, SCENES[name][1], killer, companies
        with self.another() as company:
            self.points = killer.points(company, self.way)
            self.expected = everything(company)
            sound_files(company)

    @contextmanager
    def another(self) -> Iterator[Company]:
        with self._companies.another() as company:
            company.sandbox.advance(3600)  # a clock that is not this machine's is not believed: none comes into a row
            yield company

    def killed(self, company: Company, *points: Point) -> None:
        """Kill one run after the other; all but the first may be at their end before they come there."""
        for number, point in enumerate(points):
            self.killer.kill(company, self.way, point, certain=number == 0)

    def repeated(self, company: Company, killed: object) -> None:
        """The run after the kills: it needs nobody, waits for nobody's lease, and leaves what one run alone leaves."""
        ended = self.way.run(company)
        assert ended.outcome == 0, (killed, ended.err, ended.out)
        assert everything(company) == self.expected, killed
        sound_files(company)

    def chosen(self) -> list[Point]:
        """All points, or those that differ most: inside a transaction a kill at any message is the same to the server,
        and the files of one whole read are those of another."""
        if SOAK:
            return self.points
        calls = [point for point in self.points if point.kind == "call"]
        messages = [point for point in self.points if point.kind == "message" and not point.arrived]
        left_out = {*messages} - {*messages[::8], messages[-1]}
        if self.name == "gone":
            left_out |= {*calls} - {*calls[::4]}
        return [point for point in self.points if point not in left_out]


@pytest.fixture(params=SCENES)
def scene(
    request: pytest.FixtureRequest,
    admin: extensions.connection,
    server: Keywords,
    blank: Keywords,
    tmp_path: Path,
    killer: Killer,
) -> Scene:
    prepare, _ = SCENES[request.param]
    return Scene(request.param, Companies(admin, server, blank, tmp_path, prepare), killer)


@pytest.mark.sampled(2)
def test_killed_at_every_point(scene: Scene) -> None:
    chosen = scene.chosen()
    for point in chosen:
        with scene.another() as company:
            scene.killed(company, point)
            scene.repeated(company, point)
    kinds = Counter(point.kind for point in scene.points)
    assert min(kinds[kind] for kind in ("call", "request", "message")) >= 2
    print(f"\n{scene.name}: killed at {len(chosen)} of {len(scene.points)} points: {dict(kinds)}")  # noqa: T201  for -s


def test_killed_twice_and_thrice(scene: Scene) -> None:
    """The run that repairs is killed as well."""
    dice = random.Random(scene.name)
    for _ in range(40 if SOAK else 4):
        points = dice.sample(scene.points, dice.choice((2, 2, 3)))
        with scene.another() as company:
            scene.killed(company, *points)
            scene.repeated(company, points)


@pytest.mark.parametrize("scene", ["first"], indirect=True)
def test_killed_at_any_byte_of_a_file(scene: Scene) -> None:
    """In mid-write, wherever that is: no half cache is taken for one, no log or note stands in the way of the next."""
    with scene.another() as company:
        assert scene.way.run(company).outcome == 0
        sizes = [path.stat().st_size for path in company.folder.rglob("*") if path.is_file()]
    most = max(sizes)
    for size in [1, 20, *range(64, most, most // (100 if SOAK else 10)), most - 1]:
        with scene.another() as company:
            scene.killed(company, Point("byte", size))
            scene.repeated(company, size)


@pytest.mark.parametrize("scene", ["first"], indirect=True)
def test_runs_that_are_killed_again_and_again_fill_no_disk(scene: Scene) -> None:
    """None of them comes to its end: what each leaves is cleared by the next."""
    with scene.another() as company:
        for _ in range(5):
            scene.killed(company, Point("request", 4, arrived=True))
            assert len(list((company.folder / "cache").glob("*"))) == 2, "one unfinished file a board"
        scene.repeated(company, "again and again")
