-- What each run wrote, a line each, in the transaction that wrote the row, or remembered what monday.com had taken. wrote:
-- the side that was written. field: table.column, null for a whole row or item; column_id: monday.com's column of a cell.
-- before, after: the values; null for what is new, where the row and the item say them. reason is for people only.
CREATE TABLE IF NOT EXISTS monday_sync.sync_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id pg_catalog.text NOT NULL,
    at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    wrote pg_catalog.text NOT NULL CHECK (wrote OPERATOR(pg_catalog.=) ANY ('{postgres,monday}'::pg_catalog.text[])),
    action pg_catalog.text NOT NULL
        CHECK (action OPERATOR(pg_catalog.=) ANY ('{insert,update,archive,restore,create}'::pg_catalog.text[])),
    board_id bigint,
    item_id bigint,
    table_name pg_catalog.text,
    row_id pg_catalog.uuid,
    field pg_catalog.text,
    column_id pg_catalog.text,
    before pg_catalog.jsonb,
    after pg_catalog.jsonb,
    reason pg_catalog.text NOT NULL
);

-- Runs stand one after the other in the table, so that a few pages lead to one. Who asks for an item, a row or a field
-- reads it all: an index of each would cost a first load more than all other lines of it.
CREATE INDEX IF NOT EXISTS sync_change_run ON monday_sync.sync_change USING brin (run_id, at);

-- What may go, the oldest first.
CREATE INDEX IF NOT EXISTS sync_conflict_settled ON monday_sync.sync_conflict (settled_at)
    WHERE state OPERATOR(pg_catalog.=) 'settled';
CREATE INDEX IF NOT EXISTS sync_run_started ON monday_sync.sync_run (started_at);
