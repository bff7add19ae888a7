-- A run writes its row when it has taken the lease, and completes it with its last transaction. One without finished_at
-- is at work, or was killed: reason says so once a later run has ended. options: those that differ from the usual ones;
-- plan: the number of what was planned; reason: why the run failed, null where it did not.
ALTER TABLE monday_sync.sync_run
    ADD COLUMN IF NOT EXISTS duration_s pg_catalog.float8,
    ADD COLUMN IF NOT EXISTS stages pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS reason pg_catalog.text,
    ADD COLUMN IF NOT EXISTS plan pg_catalog.text,
    ADD COLUMN IF NOT EXISTS options pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS os_user pg_catalog.text,
    ADD COLUMN IF NOT EXISTS host pg_catalog.text,
    ADD COLUMN IF NOT EXISTS pid pg_catalog.int4;

UPDATE monday_sync.sync_run SET reason = summary OPERATOR(pg_catalog.->>) 'reason',
    plan = CASE WHEN summary OPERATOR(pg_catalog.->>) 'plan' OPERATOR(pg_catalog.<>) '' THEN summary OPERATOR(pg_catalog.->>) 'plan' END
WHERE reason IS NULL AND plan IS NULL;

CREATE INDEX IF NOT EXISTS sync_run_unfinished ON monday_sync.sync_run (run_id) WHERE finished_at IS NULL;

-- By which run people were told of it: what an earlier version listed, it has told of.
ALTER TABLE monday_sync.sync_dead ADD COLUMN IF NOT EXISTS told_by pg_catalog.text;
UPDATE monday_sync.sync_dead SET told_by = run_id WHERE told_by IS NULL;
ALTER TABLE monday_sync.sync_conflict ADD COLUMN IF NOT EXISTS open_told_by pg_catalog.text;
UPDATE monday_sync.sync_conflict SET open_told_by = run_id WHERE open_told_by IS NULL;

-- Everything else that people were told of and that still is so: rows that no project shows, rows that wait, folders that
-- cannot be written. It goes when it is over, and is news if it comes back.
CREATE TABLE IF NOT EXISTS monday_sync.sync_told (
    topic pg_catalog.text NOT NULL,
    place pg_catalog.text NOT NULL,
    told_by pg_catalog.text NOT NULL,
    told_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (topic, place)
);
