-- Which database a board belongs to, one row a board: two databases that write to one board would overwrite each other.
-- It says where this database was when it took the board: a copy of it carries the row, and is told by its place.
-- claim: a fingerprint of that place, which the board's marker column shows too. replaced: claims of databases that the
-- board was taken over from; where the board still shows one of them, it is given the new one.
CREATE TABLE IF NOT EXISTS monday_sync.sync_place (
    board_id bigint PRIMARY KEY,
    claim pg_catalog.text NOT NULL,
    hosts pg_catalog.text[] NOT NULL,
    port pg_catalog.text NOT NULL,
    database pg_catalog.text NOT NULL,
    oid bigint NOT NULL,
    system pg_catalog.text,
    replaced pg_catalog.text[] NOT NULL DEFAULT '{}',
    bound_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
