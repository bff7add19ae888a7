-- What the sync remembers between runs. Dropping this schema costs a resync and no data.
CREATE SCHEMA IF NOT EXISTS monday_sync;

-- One row: which database this is, which migrations it has, and which foreign keys ("table.column") of columns that
-- were added here are still to be made, after the first load: checking them row by row costs more than the rows do.
CREATE TABLE IF NOT EXISTS monday_sync.sync_schema (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    instance pg_catalog.uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    unlinked pg_catalog.text[] NOT NULL DEFAULT '{}'
);

-- One row a board: what was proved about it at the last read.
CREATE TABLE IF NOT EXISTS monday_sync.sync_board (
    board_id bigint PRIMARY KEY,
    board pg_catalog.text NOT NULL,
    account_id pg_catalog.text,
    columns pg_catalog.text[] NOT NULL,
    mapping_hash pg_catalog.text NOT NULL,
    watermark pg_catalog.timestamptz,
    last_full_at pg_catalog.timestamptz,
    tolerated integer NOT NULL DEFAULT 0
);

-- The order of fields and slots in sync_item's arrays; a changed mapping adds a layout, old rows keep theirs.
CREATE TABLE IF NOT EXISTS monday_sync.sync_layout (
    layout integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    board pg_catalog.text NOT NULL,
    fields pg_catalog.text[] NOT NULL,
    slots pg_catalog.text[] NOT NULL,
    slot_tables pg_catalog.text[] NOT NULL,
    UNIQUE (board, fields, slots)
);

-- One row an item. base: {"m": value per field, "p": {position: value}} where the row held something else than monday
-- showed; text, since nothing but this program reads it. links: row per slot. m_hash is null while the item has
-- something open and must be looked at again.
CREATE TABLE IF NOT EXISTS monday_sync.sync_item (
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    layout integer NOT NULL,
    m_hash pg_catalog.text,
    updated_at pg_catalog.timestamptz NOT NULL,
    state pg_catalog.text NOT NULL DEFAULT 'active',
    missing_count smallint NOT NULL DEFAULT 0,
    tolerated smallint NOT NULL DEFAULT 0,
    base pg_catalog.text NOT NULL,
    links pg_catalog.uuid[] NOT NULL,
    PRIMARY KEY (board_id, item_id)
);

-- Which row owns a natural key. A placeholder is an e-mail that many people share: it names nobody, for good.
CREATE TABLE IF NOT EXISTS monday_sync.sync_key (
    table_name pg_catalog.text NOT NULL,
    key pg_catalog.text NOT NULL,
    row_id pg_catalog.uuid,
    placeholder boolean NOT NULL DEFAULT false,
    PRIMARY KEY (table_name, key)
);

-- The content of a row when it was last in step. Null: monday still has to be told (another item shows it too).
CREATE TABLE IF NOT EXISTS monday_sync.sync_row (
    table_name pg_catalog.text NOT NULL,
    row_id pg_catalog.uuid NOT NULL,
    p_hash pg_catalog.text,
    PRIMARY KEY (table_name, row_id)
);

-- Which columns sync_row's hashes are made of: when the mapping grows, hashes are carried over and edits are not forgotten.
CREATE TABLE IF NOT EXISTS monday_sync.sync_hash (
    table_name pg_catalog.text PRIMARY KEY,
    columns pg_catalog.text[] NOT NULL
);

-- Every value that lost, for good; state 'open' while a person has to decide.
CREATE TABLE IF NOT EXISTS monday_sync.sync_conflict (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    run_id pg_catalog.text NOT NULL,
    state pg_catalog.text NOT NULL CHECK (state OPERATOR(pg_catalog.=) ANY ('{open,settled}'::pg_catalog.text[])),
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    role pg_catalog.text NOT NULL,
    field pg_catalog.text NOT NULL,
    table_name pg_catalog.text NOT NULL,
    row_id pg_catalog.uuid,
    kept_from pg_catalog.text NOT NULL,
    kept pg_catalog.text,
    lost_from pg_catalog.text NOT NULL,
    lost pg_catalog.text
);

-- What waits for a person: quarantined cells and rows, and rows that look like one person.
CREATE TABLE IF NOT EXISTS monday_sync.sync_dead (
    kind pg_catalog.text NOT NULL
        CHECK (kind OPERATOR(pg_catalog.=) ANY ('{cell,row,would-merge,op}'::pg_catalog.text[])),
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    place pg_catalog.text NOT NULL,
    reason pg_catalog.text NOT NULL,
    run_id pg_catalog.text NOT NULL,
    first_seen pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (kind, board_id, item_id, place)
);

CREATE TABLE IF NOT EXISTS monday_sync.sync_run (
    run_id pg_catalog.text PRIMARY KEY,
    direction pg_catalog.text NOT NULL,
    started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    finished_at pg_catalog.timestamptz,
    exit_code smallint,
    summary pg_catalog.jsonb
);

CREATE TABLE IF NOT EXISTS monday_sync.sync_lease (
    name pg_catalog.text PRIMARY KEY,
    holder pg_catalog.text NOT NULL,
    fence bigint NOT NULL,
    expires_at pg_catalog.timestamptz NOT NULL
);

-- Links one by one, for people and reports.
CREATE OR REPLACE VIEW monday_sync.sync_link AS
SELECT i.board_id, i.item_id, l.slots[n.position] AS role, l.slot_tables[n.position] AS table_name, n.row_id
FROM monday_sync.sync_item i
JOIN monday_sync.sync_layout l ON l.layout OPERATOR(pg_catalog.=) i.layout
CROSS JOIN LATERAL pg_catalog.unnest(i.links) WITH ORDINALITY AS n (row_id, position)
WHERE n.row_id IS NOT NULL;
