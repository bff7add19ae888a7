"""The journal of writes to monday.com: every request is here before it is sent, and goes once its outcome is known.

Whatever happens in between (a kill, a lost answer) the next run finds it and settles it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from models import RowId
from postgres.transaction import Transaction
from reconcile.journal_ops import ChangeOp, CreateOp, JournalOp, OpenBatch, Sender

_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    "change": msgspec.json.Decoder(ChangeOp),
    "create": msgspec.json.Decoder(CreateOp),
    "ingest": msgspec.json.Decoder(CreateOp),
}
_encode = msgspec.json.Encoder().encode


def keep_batch(
    tx: Transaction,
    run_id: str,
    board_id: int,
    kind: str,
    key: str,
    body: str,
    ops: Sequence[JournalOp],
    sender: Sender,
) -> int:
    """Write down a request before it is sent; its number."""
    row = tx.one(
        "INSERT INTO monday_sync.sync_batch (run_id, board_id, kind, idem_key, body, monday_at, user_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING batch_id",
        (run_id, board_id, kind, key, tx.encoding.kept(body), sender.at, sender.user_id),
    )
    assert row is not None
    number = int(row[0])
    tx.execute(
        "INSERT INTO monday_sync.sync_op (batch_id, place, board_id, item_id, row_id, content)"
        " SELECT %s, w.place, %s, w.item_id, w.row_id, w.content"
        " FROM unnest(%s::integer[], %s::bigint[], %s::uuid[], %s::text[]) AS w (place, item_id, row_id, content)",
        (
            number,
            board_id,
            [op.place for op in ops],
            [op.item_id for op in ops],
            [op.row for op in ops],
            [tx.encoding.kept(_encode(op.content).decode()) for op in ops],
        ),
    )
    return number


def keep_job(tx: Transaction, number: int, job_id: str) -> None:
    """The bulk job that carries a batch, known before anything is uploaded to it."""
    tx.execute("UPDATE monday_sync.sync_batch SET job_id = %s WHERE batch_id = %s", (job_id, number))


def keep_item_ids(tx: Transaction, number: int, ids: Sequence[tuple[int, int]]) -> None:
    """New items that monday told: (place, item id). They are not remembered yet, but never made again."""
    tx.execute(
        "UPDATE monday_sync.sync_op o SET item_id = w.item_id FROM unnest(%s::integer[], %s::bigint[])"
        " AS w (place, item_id) WHERE o.batch_id = %s AND o.place = w.place",
        ([place for place, _ in ids], [item_id for _, item_id in ids], number),
    )


def drop_ops(tx: Transaction, number: int, places: Sequence[int] | None = None) -> None:
    """Ops that are remembered, or known not to have run; None for all. A batch without ops goes with them."""
    if places is None:
        tx.execute("DELETE FROM monday_sync.sync_batch WHERE batch_id = %s", (number,))
        return
    tx.execute("DELETE FROM monday_sync.sync_op WHERE batch_id = %s AND place = ANY(%s)", (number, list(places)))
    tx.execute(
        "DELETE FROM monday_sync.sync_batch b WHERE batch_id = %s"
        " AND NOT EXISTS (SELECT FROM monday_sync.sync_op o WHERE o.batch_id = b.batch_id)",
        (number,),
    )


def drop_empty(tx: Transaction) -> None:
    """Requests of which a person has deleted every op."""
    tx.execute(
        "DELETE FROM monday_sync.sync_batch b"
        " WHERE NOT EXISTS (SELECT FROM monday_sync.sync_op o WHERE o.batch_id = b.batch_id)"
    )


def open_batches(tx: Transaction) -> list[OpenBatch]:
    """Everything unfinished, the oldest first."""
    found: dict[int, OpenBatch] = {}
    said = tx.encoding.said
    for number, board_id, kind, key, body, job_id, age_s, at, user_id, *op in tx.rows(
        "SELECT b.batch_id, b.board_id, b.kind, b.idem_key, b.body, b.job_id,"
        " extract(epoch FROM clock_timestamp() - b.sent_at)::float8,"
        " (to_jsonb(b) ->> 'monday_at')::timestamptz, to_jsonb(b) ->> 'user_id',"  # a dry run adds no column
        " o.place, o.item_id, o.row_id::text,"
        " o.content FROM monday_sync.sync_batch b JOIN monday_sync.sync_op o USING (batch_id)"
        " ORDER BY b.batch_id, o.place"
    ):
        sender = Sender(at, user_id)
        batch = found.setdefault(number, OpenBatch(number, board_id, kind, key, said(body), job_id, age_s, sender, []))
        place, item_id, row, content = op
        batch.ops.append(_op(kind, place, item_id, row, said(content)))
    return list(found.values())


def _op(kind: str, place: int, item_id: int | None, row: RowId | None, content: str) -> JournalOp:
    decoder = _decoders.get(kind)
    return JournalOp(place, item_id, row, decoder.decode(content) if decoder is not None else None)
