-- The nine business tables. Additive only: a table or column that exists is left as it is, and what is missing is added.
-- Each table starts with its key and grows by ADD COLUMN, so that one list serves a new database and an existing one.
CREATE TABLE IF NOT EXISTS {schema}.insurances (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.sales_teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.storms (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.pa_law (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.properties (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.policies (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE IF NOT EXISTS {schema}.projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid());

ALTER TABLE {schema}.insurances
    ADD COLUMN IF NOT EXISTS company_name text,
    ADD COLUMN IF NOT EXISTS company_phone text,
    ADD COLUMN IF NOT EXISTS company_email text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.sales_teams
    ADD COLUMN IF NOT EXISTS name text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.storms
    ADD COLUMN IF NOT EXISTS date_of_loss date,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.pa_law
    ADD COLUMN IF NOT EXISTS name text,
    ADD COLUMN IF NOT EXISTS phone text,
    ADD COLUMN IF NOT EXISTS email text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.users
    ADD COLUMN IF NOT EXISTS name text,
    ADD COLUMN IF NOT EXISTS first_name text,
    ADD COLUMN IF NOT EXISTS last_name text,
    ADD COLUMN IF NOT EXISTS email text,
    ADD COLUMN IF NOT EXISTS rm_email text,
    ADD COLUMN IF NOT EXISTS phone text,
    ADD COLUMN IF NOT EXISTS roles text[],
    ADD COLUMN IF NOT EXISTS sales_team_id uuid,
    ADD COLUMN IF NOT EXISTS monday_team text,
    ADD COLUMN IF NOT EXISTS shirt_size text,
    ADD COLUMN IF NOT EXISTS address text,
    ADD COLUMN IF NOT EXISTS city text,
    ADD COLUMN IF NOT EXISTS state text,
    ADD COLUMN IF NOT EXISTS zip text,
    ADD COLUMN IF NOT EXISTS identification_files jsonb,
    ADD COLUMN IF NOT EXISTS onboarding_files jsonb,
    ADD COLUMN IF NOT EXISTS monday_item_id bigint,
    ADD COLUMN IF NOT EXISTS archived_at timestamptz,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.customers
    ADD COLUMN IF NOT EXISTS name text,
    ADD COLUMN IF NOT EXISTS email text,
    ADD COLUMN IF NOT EXISTS phone text,
    ADD COLUMN IF NOT EXISTS notes text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.properties
    ADD COLUMN IF NOT EXISTS customer_id uuid,
    ADD COLUMN IF NOT EXISTS address text,
    ADD COLUMN IF NOT EXISTS street text,
    ADD COLUMN IF NOT EXISTS city text,
    ADD COLUMN IF NOT EXISTS state text,
    ADD COLUMN IF NOT EXISTS zip text,
    ADD COLUMN IF NOT EXISTS measurements jsonb,
    ADD COLUMN IF NOT EXISTS one_click_codes jsonb,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.policies
    ADD COLUMN IF NOT EXISTS policy_number text,
    ADD COLUMN IF NOT EXISTS customer_id uuid,
    ADD COLUMN IF NOT EXISTS insurance_id uuid,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE {schema}.projects
    ADD COLUMN IF NOT EXISTS monday_item_id bigint,
    ADD COLUMN IF NOT EXISTS item_name text,
    ADD COLUMN IF NOT EXISTS name text,
    ADD COLUMN IF NOT EXISTS description text,
    ADD COLUMN IF NOT EXISTS current_stage text,
    ADD COLUMN IF NOT EXISTS status text,
    ADD COLUMN IF NOT EXISTS link text,
    ADD COLUMN IF NOT EXISTS company_cam_link text,
    ADD COLUMN IF NOT EXISTS estimated_value numeric(14, 2),
    ADD COLUMN IF NOT EXISTS total_payment numeric(14, 2),
    ADD COLUMN IF NOT EXISTS claim_number text,
    ADD COLUMN IF NOT EXISTS adjuster_phone text,
    ADD COLUMN IF NOT EXISTS adjuster_email text,
    ADD COLUMN IF NOT EXISTS customer_id uuid,
    ADD COLUMN IF NOT EXISTS property_id uuid,
    ADD COLUMN IF NOT EXISTS sales_team_id uuid,
    ADD COLUMN IF NOT EXISTS partner_id uuid,
    ADD COLUMN IF NOT EXISTS project_manager_id uuid,
    ADD COLUMN IF NOT EXISTS estimator_id uuid,
    ADD COLUMN IF NOT EXISTS superintendent_id uuid,
    ADD COLUMN IF NOT EXISTS sales_representative_id uuid,
    ADD COLUMN IF NOT EXISTS pa_law_id uuid,
    ADD COLUMN IF NOT EXISTS policy_id uuid,
    ADD COLUMN IF NOT EXISTS insurance_id uuid,
    ADD COLUMN IF NOT EXISTS storm_id uuid,
    ADD COLUMN IF NOT EXISTS archived_at timestamptz,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
