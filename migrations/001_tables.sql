-- The nine business tables. Additive only: a table or column that exists is left as it is, and what is missing is added.
-- Each table starts with its key and grows by ADD COLUMN, so that one list serves a new database and an existing one.
-- All migrations run under the role's own search_path, since event triggers may rely on it. So everything in them is
-- named in full, or somebody else's function, operator or type in a schema of that path could stand in its place.
CREATE TABLE IF NOT EXISTS {schema}.insurances (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.sales_teams (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.storms (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.pa_law (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.users (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.customers (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.properties (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.policies (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.projects (id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid());

ALTER TABLE {schema}.insurances
    ADD COLUMN IF NOT EXISTS company_name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS company_phone pg_catalog.text,
    ADD COLUMN IF NOT EXISTS company_email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.sales_teams
    ADD COLUMN IF NOT EXISTS name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.storms
    ADD COLUMN IF NOT EXISTS date_of_loss pg_catalog.date,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.pa_law
    ADD COLUMN IF NOT EXISTS name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS phone pg_catalog.text,
    ADD COLUMN IF NOT EXISTS email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.users
    ADD COLUMN IF NOT EXISTS name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS first_name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS last_name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS rm_email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS phone pg_catalog.text,
    ADD COLUMN IF NOT EXISTS roles pg_catalog.text[],
    ADD COLUMN IF NOT EXISTS sales_team_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS monday_team pg_catalog.text,
    ADD COLUMN IF NOT EXISTS shirt_size pg_catalog.text,
    ADD COLUMN IF NOT EXISTS address pg_catalog.text,
    ADD COLUMN IF NOT EXISTS city pg_catalog.text,
    ADD COLUMN IF NOT EXISTS state pg_catalog.text,
    ADD COLUMN IF NOT EXISTS zip pg_catalog.text,
    ADD COLUMN IF NOT EXISTS identification_files pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS onboarding_files pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS monday_item_id bigint,
    ADD COLUMN IF NOT EXISTS archived_at pg_catalog.timestamptz,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.customers
    ADD COLUMN IF NOT EXISTS name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS phone pg_catalog.text,
    ADD COLUMN IF NOT EXISTS notes pg_catalog.text,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.properties
    ADD COLUMN IF NOT EXISTS customer_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS address pg_catalog.text,
    ADD COLUMN IF NOT EXISTS street pg_catalog.text,
    ADD COLUMN IF NOT EXISTS city pg_catalog.text,
    ADD COLUMN IF NOT EXISTS state pg_catalog.text,
    ADD COLUMN IF NOT EXISTS zip pg_catalog.text,
    ADD COLUMN IF NOT EXISTS measurements pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS one_click_codes pg_catalog.jsonb,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.policies
    ADD COLUMN IF NOT EXISTS policy_number pg_catalog.text,
    ADD COLUMN IF NOT EXISTS customer_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS insurance_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();

ALTER TABLE {schema}.projects
    ADD COLUMN IF NOT EXISTS monday_item_id bigint,
    ADD COLUMN IF NOT EXISTS item_name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS name pg_catalog.text,
    ADD COLUMN IF NOT EXISTS description pg_catalog.text,
    ADD COLUMN IF NOT EXISTS current_stage pg_catalog.text,
    ADD COLUMN IF NOT EXISTS status pg_catalog.text,
    ADD COLUMN IF NOT EXISTS link pg_catalog.text,
    ADD COLUMN IF NOT EXISTS company_cam_link pg_catalog.text,
    ADD COLUMN IF NOT EXISTS estimated_value numeric(14, 2),
    ADD COLUMN IF NOT EXISTS total_payment numeric(14, 2),
    ADD COLUMN IF NOT EXISTS claim_number pg_catalog.text,
    ADD COLUMN IF NOT EXISTS adjuster_phone pg_catalog.text,
    ADD COLUMN IF NOT EXISTS adjuster_email pg_catalog.text,
    ADD COLUMN IF NOT EXISTS customer_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS property_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS sales_team_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS partner_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS project_manager_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS estimator_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS superintendent_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS sales_representative_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS pa_law_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS policy_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS insurance_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS storm_id pg_catalog.uuid,
    ADD COLUMN IF NOT EXISTS archived_at pg_catalog.timestamptz,
    ADD COLUMN IF NOT EXISTS created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
    ADD COLUMN IF NOT EXISTS updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now();
