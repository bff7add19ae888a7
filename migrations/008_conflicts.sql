-- A conflict stays one row from the moment it opens until it ends, and says how it ended. monday, postgres: what the two
-- sides say; agreed: what they last agreed on, if they ever did (ever_agreed). winner: monday (its value was taken),
-- postgres (its value was sent, or stands), both (somebody made them equal), nobody (the item or its row is gone, or
-- both edits were taken back). told_by: the run that told people of an edit that lost; null until one did.
ALTER TABLE monday_sync.sync_conflict
    ADD COLUMN IF NOT EXISTS monday pg_catalog.text,
    ADD COLUMN IF NOT EXISTS postgres pg_catalog.text,
    ADD COLUMN IF NOT EXISTS agreed pg_catalog.text,
    ADD COLUMN IF NOT EXISTS ever_agreed boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS settled_at pg_catalog.timestamptz,
    ADD COLUMN IF NOT EXISTS settled_by pg_catalog.text,
    ADD COLUMN IF NOT EXISTS winner pg_catalog.text
        CHECK (winner OPERATOR(pg_catalog.=) ANY ('{monday,postgres,both,nobody}'::pg_catalog.text[])),
    ADD COLUMN IF NOT EXISTS told_by pg_catalog.text;

-- What lost under an earlier version is no news. How it ended was not written down for what had been open.
UPDATE monday_sync.sync_conflict SET
    told_by = run_id,
    settled_at = at,
    settled_by = run_id,
    winner = CASE WHEN kept_from OPERATOR(pg_catalog.=) 'postgres' THEN 'postgres'
        WHEN kept_from OPERATOR(pg_catalog.=) 'nobody' THEN NULL ELSE 'monday' END
WHERE state OPERATOR(pg_catalog.=) 'settled' AND told_by IS NULL;

UPDATE monday_sync.sync_conflict SET monday = lost WHERE state OPERATOR(pg_catalog.=) 'open' AND monday IS NULL;

CREATE INDEX IF NOT EXISTS sync_conflict_open ON monday_sync.sync_conflict (board_id, item_id)
    WHERE state OPERATOR(pg_catalog.=) 'open';
CREATE INDEX IF NOT EXISTS sync_conflict_untold ON monday_sync.sync_conflict (id)
    WHERE state OPERATOR(pg_catalog.=) 'settled' AND told_by IS NULL;
