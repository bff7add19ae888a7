"""The doctor's command line: every check in turn, a line each, and the exit code of the worst."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Final

import click

from cli.doctor.boards import examine_mapping, examine_monday
from cli.doctor.database import examine_database
from cli.doctor.finding import Finding, guarded, ok, verdict
from cli.doctor.machine import examine_folders, examine_settings, read_settings
from cli.doctor.refusals import examine_refusals
from options import CONTEXT_SETTINGS
from reconcile.errors import Exit
from run.redact import Redactor
from settings import Settings, color_refused
from terminal.say import say, say_json
from terminal.signs import one_line

_COLORS: Final = {"ok": "green", "warning": "yellow", "problem": "red"}
_EPILOG: Final = (
    "Exit codes: 0 fine, warnings allowed; 2 a setting, the token or a right; 3 a board or table is not what the "
    "mapping says; 7 monday.com or the database cannot be reached."
)


@click.command(context_settings=CONTEXT_SETTINGS, epilog=_EPILOG)
@click.option("--demo", is_flag=True, help="Look at the made-up boards and the local database of --demo.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--verbose", "-v", count=True, help="Show every mapped column too.")
def command(*, demo: bool, as_json: bool, verbose: int) -> None:
    """Look at settings, clock, disk, monday.com and the database, and say what is wrong. Changes nothing."""
    logging.getLogger().addHandler(logging.NullHandler())  # what the parts log is said here in sentences
    found: list[Finding] = []
    with ExitStack() as stack:
        for finding in _findings(demo, stack):
            found.append(finding)
            if not as_json and (verbose or not finding.detail):
                _show(finding)
    code = verdict(found)
    if as_json:
        say_json(_object(found, code))
    else:
        say("", _summary(found, code))
    sys.exit(int(code))


def _findings(demo: bool, stack: ExitStack) -> Iterator[Finding]:
    mapping = list(guarded("mapping", examine_mapping))
    yield from mapping
    if any(finding.state == "problem" for finding in mapping):  # nothing else could be told with it
        return
    told: list[Finding] = []
    for_monday, for_database = _demo(stack, told) if demo else read_settings(told)
    yield from told
    either = for_monday or for_database
    secrets = [secret for part in (for_monday, for_database) if part for secret in part.secrets()]
    redactor = Redactor(secrets)
    checks: list[tuple[str, Settings | None, Callable[[Settings], Iterable[Finding]]]] = [
        ("settings", either, examine_settings),
        ("folders", either, examine_folders),
        ("token", for_monday, examine_monday),
        ("database", for_database, examine_database),
        ("refusals", for_monday if for_database else None, examine_refusals),
    ]
    broken = False
    for name, settings, examine in checks:
        if settings is None or (broken and name == "refusals"):  # which needs both sides, and would say it again
            continue
        for finding in guarded(name, partial(examine, settings)):
            broken |= finding.state == "problem"
            yield _clean(finding, redactor)


def _demo(stack: ExitStack, told: list[Finding]) -> tuple[Settings, Settings]:
    from run.demo import demo_settings

    settings = stack.enter_context(demo_settings())
    told.append(ok("settings", "those of --demo"))
    return settings, settings


def _clean(finding: Finding, redactor: Redactor) -> Finding:
    """The finding without a secret, and without signs that could move the cursor."""
    says, fix = (one_line(redactor.text(text)) for text in (finding.says, finding.fix))
    return Finding(finding.check, finding.state, says, fix, finding.exit_code, finding.detail)


def _show(finding: Finding) -> None:
    state = f"{finding.state:<8}"
    if not color_refused():
        state = click.style(state, fg=_COLORS[finding.state])  # click leaves colour out where there is no terminal
    click.echo(f"{state} {one_line(f'{finding.check:<15} {finding.says}')}")
    if finding.fix:
        say(f"{'':<25}→ {finding.fix}")


def _summary(found: list[Finding], code: Exit) -> str:
    problems, warnings = (sum(finding.state == state for finding in found) for state in ("problem", "warning"))
    if not problems and not warnings:
        return f"All {len(found)} checks are fine · exit 0"
    return f"{len(found)} checks, {problems} with a problem, {warnings} with a warning · exit {int(code)}"


def _object(found: list[Finding], code: Exit) -> dict[str, object]:
    return {
        "version": 1,
        "exit_code": int(code),
        "checks": [
            {"check": finding.check, "state": finding.state, "says": finding.says, "fix": finding.fix}
            for finding in found
        ],
    }
