"""What people call a board, where its account is, and which columns it has beside the mapped ones.

It is for the window, which asks monday.com nothing. No run decides by it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from postgres.encoding import Encoding
from postgres.transaction import Params

OtherColumn = tuple[str, str, str]
"""Id, title and type of a column that is not mapped."""

# What is so already is not written again: a run in which nothing changed leaves the row as it is.
_DESCRIBE: Final = """
UPDATE monday_sync.sync_board b SET title = w.title, account_slug = coalesce(w.slug, b.account_slug), others = w.others
FROM (VALUES (%s::text, %s::text, %s::jsonb)) AS w (title, slug, others)
WHERE b.board_id = %s AND (b.title, b.account_slug, b.others)
    IS DISTINCT FROM (w.title, coalesce(w.slug, b.account_slug), w.others)
"""


def describe(
    encoding: Encoding, board_id: int, title: str, slug: str | None, others: Sequence[OtherColumn]
) -> tuple[str, Params]:
    """The statement that writes it down, for the transaction that remembers the board. `slug` is the account's name in
    addresses, None where monday.com did not tell it."""
    listed = json.dumps([[_storable(part) for part in column] for column in others], ensure_ascii=False)
    return _DESCRIBE, (encoding.kept(_storable(title)), slug, encoding.kept(listed), board_id)


def _storable(text: str) -> str:
    """A text of monday.com as a database can hold it: without the signs that none has."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
