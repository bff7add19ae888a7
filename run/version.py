"""Tells of an answer by another version of monday's API than was asked for; nothing is written to an unknown one."""

from __future__ import annotations

from monday import versions
from monday.versions import Answered
from monday_api import MondayClient
from run.context import PUSH, Run


def heed_version(run: Run, client: MondayClient) -> bool:
    """Note, once a run, that another version answered; whether it is one to which this program may write.

    Raises DriftError in a push where it is not.
    """
    asked, answered = client.transport.version, client.answered_version
    found = versions.answered_by(asked, answered)
    if found is Answered.AS_ASKED or answered is None:
        return True
    if found is Answered.UNKNOWN and run.report.direction == PUSH:
        raise versions.refusal(asked, answered)
    run.report.notes = list(dict.fromkeys([*run.report.notes, versions.note(asked, answered)]))
    return found is Answered.KNOWN
