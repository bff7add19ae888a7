"""Each class of errors ends a command with a code of its own."""

from __future__ import annotations

import pytest

from reconcile import errors
from reconcile.errors import Exit, SyncError


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("SyncError", 1),
        ("ConfigError", 2),
        ("DriftError", 3),
        ("UnsafePlan", 4),
        ("CellError", 5),
        ("LeaseHeld", 6),
        ("Unavailable", 7),
    ],
)
def test_the_exit_code_of_an_error(kind: str, code: int) -> None:
    error = getattr(errors, kind)
    assert issubclass(error, SyncError)
    assert error("told").exit_code == code
    assert str(error("told")) == "told"


def test_every_class_is_in_the_table_above() -> None:
    known = {cls.__name__ for cls in SyncError.__subclasses__()} - {"Refused"}
    assert {"ConfigError", "DriftError", "UnsafePlan", "CellError", "LeaseHeld", "Unavailable"} <= known
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 4, 5, 6, 7, 10, 130]
