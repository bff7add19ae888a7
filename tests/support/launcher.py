"""A process that has imported everything and makes each run by a fork of itself: real processes of their own, with
their own lease, for a tenth of what a new interpreter costs.

One order a line in JSON on stdin, one answer a line on stdout. What a run may be ordered beside its arguments is done
to the machine it sees, never to the program: it dies in mid-write, it dies or stops at one of its calls to the system,
it has another host's name, its machine slept.
"""

from __future__ import annotations

import ctypes
import importlib
import itertools
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.company import COMMANDS

# What the commands import late, so that --help is quick.
_LATE = ("run.command", "run.context", "pull.apply", "pull.read", "run.start", "push.finish", "push.plan",
         "push.operations", "push.marker", "push.recover", "push.send", "push.bulk")  # fmt: skip
_CLONE_NEWUTS, _CLONE_NEWUSER = 0x04000000, 0x10000000
NOT_ALLOWED = 77
"""The exit code of a run that may not have another host's name."""


def start(out: str, environment: dict[str, str], program: str, arguments: list[str], **machine: Any) -> int:
    """Start a run that prints to `out`.out and `out`.err; its process id."""
    pid = os.fork()
    if pid:
        return pid
    code: object = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        _redirect(out)
        _prepare(f"{out}.calls", **machine)
        COMMANDS[program].main(arguments, prog_name=program)
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  the parent's frames are not this run's to return to
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def ended(pid: int, *, wait: bool) -> int | None:
    """How a run ended, as subprocess tells it; None while it goes on."""
    found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _redirect(out: str) -> None:
    for number, path in enumerate((os.devnull, f"{out}.out", f"{out}.err")):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)


def _prepare(
    notes: str,
    *,
    host: str | None = None,
    slept: str | None = None,
    bytes_written: int | None = None,
    folder: str | None = None,
    at_call: int = 0,
    number: int = signal.SIGKILL,
) -> None:
    if host is not None:
        _be_another_host(host)
    if slept is not None:
        _sleep_as_told(Path(slept))
    if bytes_written is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_written, bytes_written))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, the kernel's own answer is death
    if folder is not None:
        _watch_calls(folder, notes, at_call, number)


def _be_another_host(name: str) -> None:
    libc, user, group = ctypes.CDLL(None, use_errno=True), os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUTS) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWUTS) != 0:
            os._exit(NOT_ALLOWED)
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    socket.sethostname(name)


def _sleep_as_told(told: Path) -> None:
    """Put the clock that counts sleep ahead by the seconds in a file, while there is one."""
    real = time.clock_gettime

    def clock_gettime(clock: int) -> float:
        return real(clock) + (float(told.read_text(encoding="ascii")) if told.exists() else 0)

    time.clock_gettime = clock_gettime


def _watch_calls(folder: str, notes: str, at_call: int, number: int) -> None:
    """Note every file of the folder that is about to be touched and everything about to be sent to monday.com, a line
    each; before the one whose turn it is, a signal comes."""
    handle = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    numbers = itertools.count(1)  # one step for all threads

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "http.client.send" and not (event in _TOUCHES and str(arguments[0]).startswith(folder)):
            return
        turn = next(numbers)
        what = "" if event == "http.client.send" else Path(str(arguments[0])).name
        os.write(handle, f"{event} {what}\n".encode())
        if turn == at_call:
            os.kill(os.getpid(), number)

    sys.addaudithook(watch)


_TOUCHES = frozenset(("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink",
                      "os.truncate", "os.utime", "os.listdir", "os.scandir"))  # fmt: skip
_ORDERS: dict[str, Callable[..., Any]] = {"start": start, "ended": ended}


def main() -> None:
    for name in _LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(_ORDERS[order.pop("do")](**order)), flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main()
