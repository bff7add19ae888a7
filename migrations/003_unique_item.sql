-- One project an item. Not made where the owner has a unique index on the column already.
CREATE UNIQUE INDEX IF NOT EXISTS projects_monday_item_id_key ON {schema}.projects (monday_item_id);
