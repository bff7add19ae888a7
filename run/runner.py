"""Who runs a command, where, and with which options: what the record of a run says about it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from options import Options
from postgres.encoding import storable


@dataclass(frozen=True, slots=True)
class Runner:
    """The account of the operating system, the machine's name and the process."""

    user: str
    host: str
    pid: int

    @classmethod
    def myself(cls) -> Runner:
        return cls(_user(), storable(socket.gethostname()), os.getpid())


def _user() -> str:
    """The account whose rights count: a variable of the environment can say anything."""
    if sys.platform == "win32":
        import getpass

        return storable(getpass.getuser())
    import pwd

    try:
        return storable(pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:  # a container's account without a name
        return str(os.geteuid())


def chosen(options: Options) -> Mapping[str, Any]:
    """The options that differ from the usual ones."""
    usual = Options()
    return {
        entry.name: given
        for entry in fields(Options)
        if (given := getattr(options, entry.name)) != getattr(usual, entry.name)
    }
