"""Printing is not the work: whatever becomes of stdout and stderr, a command does the same and ends with the same code.

A stream may be closed, on a full disk, a pipe that nobody reads, or in an encoding that lacks a sign of the report.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import select
import sys
from typing import Final, TextIO

from terminal.signs import one_line, printable

_DRAWS: Final = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z]|\r)")


def make_streams_safe() -> None:
    """Put streams that cannot fail in place of stdout and stderr; what somebody put there himself stays."""
    _occupy_closed()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _safe(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _safe(sys.stderr, 2)


def _occupy_closed() -> None:
    """Open nothing in place of a closed descriptor: else the next file or connection gets its number, and with it
    whatever a library prints."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)


def _safe(stream: TextIO | None, number: int) -> TextIO:
    """The stream with what cannot be written left out, and signs that its encoding lacks escaped."""
    if stream is None:  # it was closed when Python began
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  it lives as long as the process
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding = codecs.lookup(stream.encoding).name
    raw = _Forgiving(number, "wb", closefd=False)
    made = _Ascii if encoding == "ascii" else _Shown
    return made(
        raw if stream.write_through else io.BufferedWriter(raw),  # as Python itself, with -u
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Forgiving(io.FileIO):
    """A descriptor that takes everything: what the system refuses is gone, since there is nobody to tell."""

    def write(self, data: object, /) -> int:
        rest = view = memoryview(data).cast("B")  # type: ignore[arg-type]  # any buffer
        try:
            while rest:
                written = super().write(rest)
                if written is None:  # it does not block, and its reader is slow
                    select.select([], [self], [])
                rest = rest[written or 0 :]
        except OSError:
            pass
        return len(view)


class _Shown(io.TextIOWrapper):
    """Writes no control sign but the end of a line, and to a terminal those that draw: the last net under all that is
    printed, be it by a library or by Python itself."""

    def write(self, text: str, /) -> int:
        if not text.isascii() or not text.isprintable():
            text = _drawn(text) if self.isatty() else "\n".join(map(one_line, text.split("\n")))
        super().write(text)
        return len(text)


def _drawn(text: str) -> str:
    return "".join(part if _DRAWS.fullmatch(part) else printable(part) for part in _DRAWS.split(text))


class _Ascii(_Shown):
    """Hides its bytes from click, which would write UTF-8 to them: whoever asks for ASCII wants ASCII."""

    buffer = property(lambda _self: None)
