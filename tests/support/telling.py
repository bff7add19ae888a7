"""What a run has to say of edits that lost and edits that wait, told from the log and the exit code alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.company import Ended

Conflict = dict[str, Any]
"""A line of monday_sync.sync_conflict."""


def untrue(before: Sequence[Conflict], after: Sequence[Conflict], ended: Ended) -> Iterator[str]:
    """Everything that is wrong about the log after a run that ended well, and about what the run said."""
    report = ended.report
    was_open, is_open = ({_place(line): line for line in lines if line["state"] == "open"} for lines in (before, after))
    for place, count in Counter(_place(line) for line in after if line["state"] == "open").items():
        if count > 1:
            yield f"{place} is open {count} times"
    for place in was_open.keys() & is_open.keys():
        if was_open[place]["id"] != is_open[place]["id"]:
            yield f"{place} stays open, and has got another line"
    settled = {line["id"]: line for line in after if line["state"] == "settled"}
    for line in (*was_open.values(),):
        if line["id"] not in settled and is_open.get(_place(line)) is None:
            yield f"{_place(line)} is open no more, and its line is gone"
    known = {line["id"] for line in before if line["state"] == "settled"}
    for number in settled.keys() - known:
        line = settled[number]
        if None in (line["winner"], line["settled_at"], line["settled_by"]):
            yield f"{_place(line)} is settled, and nobody knows how: {line}"
    losses = [line for line in settled.values() if line["lost_from"] != "nobody" and line["winner"] != "nobody"]
    untold = [line for line in losses if line["told_by"] is None]
    if untold:
        yield f"an edit lost, and no run said so: {untold}"
    news = [line for line in losses if line["told_by"] == report["run_id"]]
    if report["settled"] != len(news):
        yield f"{report['settled']} edits are said to have lost, {len(news)} did: {news}"
    if report["conflicts"] != len(is_open):
        yield f"{report['conflicts']} conflicts are said to be open, {len(is_open)} are"
    waits = any(report[kind] for kind in ("conflicts", "quarantined", "would_merge"))
    waits = waits or bool(report["details"].get("fanned_out"))
    if ended.code != (5 if waits or news else 0):
        yield (
            f"exit {ended.code} with {len(news)} edits that lost and " + ("something" if waits else "nothing") + " open"
        )


def _place(line: Conflict) -> tuple[int, int, str]:
    return line["board_id"], line["item_id"], line["field"]
