"""What this folder remembers, outside of its logs: which database each board was synced with, and by which run last.

One small file of the program's own, so that a setting that leads to another database is noticed before a push.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from folders import make_private
from reconcile.place import Local
from settings import Settings, is_loopback

logger = logging.getLogger(__name__)

FILE: Final = "boards.json"
_LARGEST: Final = 1 << 20
_OLDER: Final = Local("", "another database, whose name the version before did not write down")


def recall(settings: Settings, board_id: int, instance: str | None) -> Local | None:
    """What is remembered of a board. `instance` is the id by which the version before told databases apart: its file
    counts as long as nothing newer is known."""
    found = _read(settings).get(_key(settings, board_id))
    if found is not None or instance is None:
        return found
    with suppress(OSError, UnicodeDecodeError):
        if (settings.log_dir / "database").read_text(encoding="ascii").strip() not in ("", instance):
            return _OLDER
    return None


def keep(settings: Settings, boards: Mapping[int, Local]) -> None:
    """Remember these boards; a folder that cannot be written costs a warning, and the check."""
    known = _read(settings)
    told = {_key(settings, board_id): local for board_id, local in boards.items()}
    if all(known.get(key) == local for key, local in told.items()):
        return
    path = settings.state_dir / FILE
    half = path.with_name(f"{FILE}.{os.getpid()}")
    try:
        make_private(settings.state_dir)
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode({**known, **told}), indent=1))
        half.replace(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        logger.warning("not remembered whose boards these are file=%s reason=%s", path, error.strerror)


def _read(settings: Settings) -> dict[str, Local]:
    path = settings.state_dir / FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST), type=dict[str, Local])
    except FileNotFoundError:
        return {}
    except OSError as error:
        logger.warning(
            "cannot be read file=%s reason=%s: it is not checked whose boards these are", path, error.strerror
        )
    except msgspec.DecodeError:
        logger.warning("no longer readable file=%s: it is not checked whose boards these are", path)
    return {}


def _key(settings: Settings, board_id: int) -> str:
    """The board at its server. One that plays monday.com on this machine is told from the next by the rehearsal's own
    folder, for it knows no accounts and its port comes round again."""
    server = urlsplit(settings.monday_api_url)
    rehearsed = f" {settings.log_dir}" if is_loopback(server.hostname or "") else ""
    return f"{server.netloc}{rehearsed} {board_id}"
