"""New items of a request whose answer was lost, where no marker tells: what our user made since then may be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from monday.current import Candidate
from monday_api import MARKER, MondayClient
from postgres.journal import OpenBatch

AMBIGUOUS: Final = "ambiguous"
SKEW: Final = timedelta(minutes=5)
UNTOLD: Final = timedelta(days=1)  # where monday tells no time: two clocks that people set differ by hours at most


def carried_marker(batch: OpenBatch) -> bool:
    """Whether each new item of this request carries the id of its row; a file always does."""
    return not batch.body or MARKER in batch.body


def age_s(client: MondayClient, batch: OpenBatch) -> float:
    """By monday's own clock, which also says how long it keeps an answer; by the database's where it told no time."""
    now = client.answered_at
    if now is None or batch.sender.at is None:
        return batch.age_s
    return (now - batch.sender.at).total_seconds()


def sent_since(client: MondayClient, batch: OpenBatch) -> datetime:
    """The time by monday's clock from which on an item may have been made by this request. The database's clock has
    no say in it beyond how long ago that was, and that only where the journal is an older program's.
    """
    if batch.sender.at is not None:
        return batch.sender.at - SKEW
    age, now = timedelta(seconds=batch.age_s), client.answered_at
    return now - age - SKEW if now is not None else datetime.now(UTC) - age - UNTOLD


def made_since(client: MondayClient, board: str, batch: OpenBatch, user_id: str | None) -> list[Candidate]:
    """Active items that the request's user made since it was sent, whatever they are called now. An older program's
    journal names no user: then it is today's."""
    return client.looker.made_since(board, batch.sender.user_id or user_id or "", sent_since(client, batch))


class Maybe(NamedTuple):
    """Items that may be the one a request made. `sure`: one that stands alone here is it."""

    ids: list[int]
    sure: bool


def may_be(names: Mapping[int, str], made: Sequence[Candidate]) -> dict[int, Maybe]:
    """Place in the request → what of `made` may be the item of that name.

    Items of the very name, if there are any. If there is none, somebody may have renamed it: then it may be any item
    that bears no name of the request, and a person has to say so.

    >>> a, b = (Candidate(n, name, datetime(2026, 1, 1), "1") for n, name in ((1, "A"), (2, "B")))
    >>> may_be({0: "A", 1: "C"}, [a, b])
    {0: Maybe(ids=[1], sure=True), 1: Maybe(ids=[2], sure=False)}
    """
    wanted = {name.strip() for name in names.values()}
    strangers = sorted(item.id for item in made if item.name.strip() not in wanted)
    named = {place: sorted(i.id for i in made if i.name.strip() == name.strip()) for place, name in names.items()}
    return {place: Maybe(ids or strangers, bool(ids)) for place, ids in named.items()}
