"""How a command ends: an error of ours as one sentence, signals as 130, a bug with its traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

from reconcile.errors import Exit, SyncError
from terminal.streams import make_streams_safe

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_AGAIN_S: Final = 0.05


class Interrupted(KeyboardInterrupt):
    """A first SIGINT or SIGTERM, raised where stopping leaves a state that the next run takes up."""


class StopSignal:
    """What a signal asked for. The first one stops the run, or waits for the end of `finishing`; a second aborts.

    A thread other than the main one never sees the exception: it looks at `requested` between two batches.
    """

    def __init__(self) -> None:
        self.requested = False
        self._finishing = 0
        self._dropped = False

    def check(self) -> None:
        """Stop here if a signal came in the meantime. Raises Interrupted."""
        if self.requested:
            self._dropped = False
            raise Interrupted

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Let what is inside (a batch in flight, its record) come to its end before a first signal stops the run."""
        self.check()
        self._finishing += 1
        try:
            yield
        finally:
            self._finishing -= 1
        if not self._finishing:
            self.check()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Answer SIGINT and SIGTERM while inside; only in the main thread."""
        before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        try:
            if sys.platform == "win32":  # which has no such timer
                yield
            else:
                with self._raising_what_is_dropped():
                    yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def _raising_what_is_dropped(self) -> Iterator[None]:
        """Python drops what is raised while it finalizes an object, such as a connection that is closed: an
        interruption that is lost so is raised again a moment later."""
        hook, alarm = sys.unraisablehook, signal.signal(signal.SIGALRM, self._raise_again)

        def dropped(what: sys.UnraisableHookArgs) -> None:
            if isinstance(what.exc_value, Interrupted):
                self._dropped = True
                signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
            else:
                hook(what)

        sys.unraisablehook = dropped
        try:
            yield
        finally:
            sys.unraisablehook = hook
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)

    def _raise_again(self, _number: int, _frame: FrameType | None) -> None:
        if self._dropped:
            self._dropped = False
            raise Interrupted

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.requested
        self.requested = True
        if not first or not self._finishing:
            raise Interrupted


def run_command(main: Callable[[StopSignal], Exit], program: str = "", *, quiet: bool = False) -> NoReturn:
    """Run a command's body and leave the process with its exit code. One that is `quiet` signs each line that it prints
    with its `program`.

    A SyncError is printed on stderr as its one sentence. Any other exception is a bug and goes on to Python's own
    handling (exit 1), which `logs.configure` has made safe to show.
    """
    from terminal.say import Signature, signing

    make_streams_safe()
    stop, code = StopSignal(), Exit.BUG
    with stop.installed(), signing(Signature(program) if quiet else None):
        try:
            code = main(stop)
        except SyncError as error:
            _say(f"error: {error}", error=True, lines=error.listed)
            code = error.exit_code
        except KeyboardInterrupt:
            _say("interrupted: what was finished is kept, run it again to go on")
            code = Exit.INTERRUPTED
    sys.exit(int(code))


def _say(sentence: str, *, error: bool = False, lines: bool = False) -> None:
    """Tell the person on stderr, in red for an error on a terminal, and the log files."""
    import logging

    from run.logs import current_redactor, log_shown
    from settings import color_refused
    from terminal.say import say

    sentence = current_redactor().text(sentence)
    if logging.getLogger().handlers:  # else Python's last resort would print it a second time
        log_shown(sentence, logging.ERROR if error else logging.WARNING)
    told = sentence.split("\n") if lines else [sentence]
    say(*told, error=True, color="red" if error and not color_refused() else None)
