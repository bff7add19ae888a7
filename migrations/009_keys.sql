-- By which rule the keys in sync_key were made. What an older rule joined is parted by the next run that reads the boards.
ALTER TABLE monday_sync.sync_schema ADD COLUMN IF NOT EXISTS key_rule smallint NOT NULL DEFAULT 1;
ALTER TABLE monday_sync.sync_schema ALTER COLUMN key_rule SET DEFAULT 2;
