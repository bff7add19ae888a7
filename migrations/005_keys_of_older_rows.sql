-- Versions before 1.2.0 remembered rows that had been there before the first run without the keys they go by. Each
-- counts as edited, and each item that shows it as changed, until a run has met it once more: meanwhile its content
-- tells its keys, and then they are written down.
UPDATE monday_sync.sync_row s SET p_hash = NULL
WHERE s.table_name OPERATOR(pg_catalog.<>) 'projects' AND NOT EXISTS (
    SELECT FROM monday_sync.sync_key k WHERE k.row_id OPERATOR(pg_catalog.=) s.row_id
);

UPDATE monday_sync.sync_item i SET m_hash = NULL
WHERE EXISTS (
    SELECT FROM pg_catalog.unnest(i.links) AS n (row_id)
    JOIN monday_sync.sync_row s ON s.row_id OPERATOR(pg_catalog.=) n.row_id
    WHERE s.p_hash IS NULL AND s.table_name OPERATOR(pg_catalog.<>) 'projects'
);
