-- A conflict stays one row from the moment it opens until it ends, and says how it ended. monday, postgres: what the two
-- sides say; agreed: what they last agreed on, if they ever did (ever_agreed). winner: monday (its value was taken),
-- postgres (its value was sent, or stands), both (somebody made them equal), nobody (the item or its row is gone, or
-- both edits were taken back). told_by: the run that told people of an edit that lost; null until one did.
ALTER TABLE monday_sync.sync_conflict
    ADD COLUMN IF NOT EXISTS monday text,
    ADD COLUMN IF NOT EXISTS postgres text,
    ADD COLUMN IF NOT EXISTS agreed text,
    ADD COLUMN IF NOT EXISTS ever_agreed boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS settled_at timestamptz,
    ADD COLUMN IF NOT EXISTS settled_by text,
    ADD COLUMN IF NOT EXISTS winner text CHECK (winner IN ('monday', 'postgres', 'both', 'nobody')),
    ADD COLUMN IF NOT EXISTS told_by text;

-- What lost under an earlier version is no news. How it ended was not written down for what had been open.
UPDATE monday_sync.sync_conflict SET
    told_by = run_id,
    settled_at = at,
    settled_by = run_id,
    winner = CASE kept_from WHEN 'postgres' THEN 'postgres' WHEN 'nobody' THEN NULL ELSE 'monday' END
WHERE state = 'settled' AND told_by IS NULL;

UPDATE monday_sync.sync_conflict SET monday = lost WHERE state = 'open' AND monday IS NULL;

CREATE INDEX IF NOT EXISTS sync_conflict_open ON monday_sync.sync_conflict (board_id, item_id) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS sync_conflict_untold ON monday_sync.sync_conflict (id)
    WHERE state = 'settled' AND told_by IS NULL;
