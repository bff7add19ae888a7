-- What people call a board, the name of its account in addresses (https://SLUG.monday.com), and its columns that are not
-- mapped: [[id, title, type], ...]. Null until a complete read has told them.
ALTER TABLE monday_sync.sync_board
    ADD COLUMN IF NOT EXISTS title pg_catalog.text,
    ADD COLUMN IF NOT EXISTS account_slug pg_catalog.text,
    ADD COLUMN IF NOT EXISTS others pg_catalog.jsonb;
