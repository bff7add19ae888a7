-- What the sync remembers between runs. Dropping this schema costs a resync and no data.
CREATE SCHEMA IF NOT EXISTS monday_sync;

-- One row: which database this is, which migrations it has, and which foreign keys ("table.column") of columns that
-- were added here are still to be made, after the first load: checking them row by row costs more than the rows do.
CREATE TABLE IF NOT EXISTS monday_sync.sync_schema (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    instance uuid NOT NULL DEFAULT gen_random_uuid(),
    unlinked text[] NOT NULL DEFAULT '{}'
);

-- One row a board: what was proved about it at the last read.
CREATE TABLE IF NOT EXISTS monday_sync.sync_board (
    board_id bigint PRIMARY KEY,
    board text NOT NULL,
    account_id text,
    columns text[] NOT NULL,
    mapping_hash text NOT NULL,
    watermark timestamptz,
    last_full_at timestamptz,
    tolerated integer NOT NULL DEFAULT 0
);

-- The order of fields and slots in sync_item's arrays; a changed mapping adds a layout, old rows keep theirs.
CREATE TABLE IF NOT EXISTS monday_sync.sync_layout (
    layout integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    board text NOT NULL,
    fields text[] NOT NULL,
    slots text[] NOT NULL,
    slot_tables text[] NOT NULL,
    UNIQUE (board, fields, slots)
);

-- One row an item. base: {"m": value per field, "p": {position: value}} where the row held something else than monday
-- showed; text, since nothing but this program reads it. links: row per slot. m_hash is null while the item has
-- something open and must be looked at again.
CREATE TABLE IF NOT EXISTS monday_sync.sync_item (
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    layout integer NOT NULL,
    m_hash text,
    updated_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'active',
    missing_count smallint NOT NULL DEFAULT 0,
    tolerated smallint NOT NULL DEFAULT 0,
    base text NOT NULL,
    links uuid[] NOT NULL,
    PRIMARY KEY (board_id, item_id)
);

-- Which row owns a natural key. A placeholder is an e-mail that many people share: it names nobody, for good.
CREATE TABLE IF NOT EXISTS monday_sync.sync_key (
    table_name text NOT NULL,
    key text NOT NULL,
    row_id uuid,
    placeholder boolean NOT NULL DEFAULT false,
    PRIMARY KEY (table_name, key)
);

-- The content of a row when it was last in step. Null: monday still has to be told (another item shows it too).
CREATE TABLE IF NOT EXISTS monday_sync.sync_row (
    table_name text NOT NULL,
    row_id uuid NOT NULL,
    p_hash text,
    PRIMARY KEY (table_name, row_id)
);

-- Which columns sync_row's hashes are made of: when the mapping grows, hashes are carried over and edits are not forgotten.
CREATE TABLE IF NOT EXISTS monday_sync.sync_hash (
    table_name text PRIMARY KEY,
    columns text[] NOT NULL
);

-- Every value that lost, for good; state 'open' while a person has to decide.
CREATE TABLE IF NOT EXISTS monday_sync.sync_conflict (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    run_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'settled')),
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    role text NOT NULL,
    field text NOT NULL,
    table_name text NOT NULL,
    row_id uuid,
    kept_from text NOT NULL,
    kept text,
    lost_from text NOT NULL,
    lost text
);

-- What waits for a person: quarantined cells and rows, and rows that look like one person.
CREATE TABLE IF NOT EXISTS monday_sync.sync_dead (
    kind text NOT NULL CHECK (kind IN ('cell', 'row', 'would-merge', 'op')),
    board_id bigint NOT NULL,
    item_id bigint NOT NULL,
    place text NOT NULL,
    reason text NOT NULL,
    run_id text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, board_id, item_id, place)
);

CREATE TABLE IF NOT EXISTS monday_sync.sync_run (
    run_id text PRIMARY KEY,
    direction text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    exit_code smallint,
    summary jsonb
);

CREATE TABLE IF NOT EXISTS monday_sync.sync_lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    fence bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Links one by one, for people and reports.
CREATE OR REPLACE VIEW monday_sync.sync_link AS
SELECT i.board_id, i.item_id, l.slots[n.position] AS role, l.slot_tables[n.position] AS table_name, n.row_id
FROM monday_sync.sync_item i
JOIN monday_sync.sync_layout l USING (layout)
CROSS JOIN LATERAL unnest(i.links) WITH ORDINALITY AS n (row_id, position)
WHERE n.row_id IS NOT NULL;
