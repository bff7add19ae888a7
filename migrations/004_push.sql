-- What a push (PostgreSQL to monday.com) needs to be exactly once: every request that writes is here before it is sent,
-- and goes when its outcome is known and remembered. Empty, then, unless a run was killed or lost its answer.
CREATE TABLE IF NOT EXISTS monday_sync.sync_batch (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id pg_catalog.text NOT NULL,
    board_id bigint NOT NULL,
    kind pg_catalog.text NOT NULL
        CHECK (kind OPERATOR(pg_catalog.=) ANY ('{change,create,archive,ingest}'::pg_catalog.text[])),
    idem_key pg_catalog.text NOT NULL,
    body pg_catalog.text NOT NULL,
    job_id pg_catalog.text,
    sent_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- One row an item of a batch. content: what will be remembered of it, as JSON that only this program reads. item_id is
-- null for a new item until monday told it.
CREATE TABLE IF NOT EXISTS monday_sync.sync_op (
    batch_id bigint NOT NULL REFERENCES monday_sync.sync_batch ON DELETE CASCADE,
    place integer NOT NULL,
    board_id bigint NOT NULL,
    item_id bigint,
    row_id pg_catalog.uuid,
    content pg_catalog.text NOT NULL,
    PRIMARY KEY (batch_id, place)
);

-- A hash of the value that monday would not take: while it stays the same, nobody pays for another try.
ALTER TABLE monday_sync.sync_dead ADD COLUMN IF NOT EXISTS input pg_catalog.text NOT NULL DEFAULT '';
