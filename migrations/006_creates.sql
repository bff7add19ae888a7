-- What new items of a request whose answer was lost are looked for by: the time by monday.com's own clock when it was
-- written down, since the clock of this database may tell another time, and the user whose token sent it. Null where
-- monday.com had not told them.
ALTER TABLE monday_sync.sync_batch ADD COLUMN IF NOT EXISTS monday_at pg_catalog.timestamptz;
ALTER TABLE monday_sync.sync_batch ADD COLUMN IF NOT EXISTS user_id pg_catalog.text;
