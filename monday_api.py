"""monday.com: the column mapping of both boards, and the client that reads and writes them.

The two dictionaries are the only copy of the mapping. A line names the column id, its title, its codec and the
database column; it drives the query, decoding, SQL, the drift check and `monday_to_database_mapping.md`.
"""

from __future__ import annotations

from reconcile.columns import DATE, EMAIL, FILES, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Column, ColumnMap

# fmt: off
MASTER_PROJECT_COLUMN_MAP: ColumnMap = {
    "name": Column("Name", NAME, "projects.item_name"),
    "text95__1": Column("Current Stage", TEXT, "projects.current_stage"),
    "link__1": Column("Job Progress Link", LINK, "projects.link"),
    "text01__1": Column("Job Progress Name", TEXT, "projects.name"),
    "text40__1": Column("Job Progress Job Description", TEXT, "projects.description"),
    "text_7__1": Column("Company Cam link", TEXT, "projects.company_cam_link"),
    "numbers0": Column("Total price", MONEY, "projects.estimated_value"),
    "qb_total_payments__1": Column("Total Payment", MONEY, "projects.total_payment"),
    "claim_number__1": Column("Claim number", TEXT, "projects.claim_number"),
    "phone_17__1": Column("Adjuster number", PHONE, "projects.adjuster_phone"),
    "email57__1": Column("Adjuster email", EMAIL, "projects.adjuster_email"),
    "text65__1": Column("Job Progress Contact Full Name", TEXT, "customers.name"),
    "email4__1": Column("JP Contact Email", EMAIL, "customers.email"),
    "phone_1__1": Column("JP Contact Phone", PHONE, "customers.phone"),
    "text43__1": Column("Job Progress Customer note", TEXT, "customers.notes"),
    "dup__of_job_address0__1": Column("Jp Contact Address", TEXT, "properties.address"),
    "files9__1": Column("measurements", FILES, "properties.measurements", direction="read-only"),
    "files66__1": Column("One click codes", FILES, "properties.one_click_codes", direction="read-only"),
    "job_division___1__1": Column("Sales Team Name", STATUS, "sales_teams.name"),
    "partner_name__1": Column("Partner", TEXT, "users.name", role="Partner"),
    "partner_email__1": Column("Partner email", EMAIL, "users.email", role="Partner"),
    "partner_phone____1": Column("Partner phone", PHONE, "users.phone", role="Partner"),
    "text19__1": Column("Project manager name", TEXT, "users.name", role="Project Manager"),
    "email6__1": Column("PM email", EMAIL, "users.email", role="Project Manager"),
    "phone_13__1": Column("PM number", PHONE, "users.phone", role="Project Manager"),
    "job_est_1_name__1": Column("Estimator name", TEXT, "users.name", role="Estimator"),
    "email0__1": Column("Estimator Email", EMAIL, "users.email", role="Estimator"),
    "phone_10__1": Column("Estimator Number", PHONE, "users.phone", role="Estimator"),
    "dup__of_text6__1": Column("Superintendent name", TEXT, "users.name", role="Superintendent"),
    "dup__of_email__1": Column("Superintendent email", EMAIL, "users.email", role="Superintendent"),
    "dup__of_phone_1__1": Column("Superintendent phone", PHONE, "users.phone", role="Superintendent"),
    "text22__1": Column("Sales rep first name", TEXT, "users.first_name", role="Sales Representative"),
    "text49__1": Column("Sales rep last name", TEXT, "users.last_name", role="Sales Representative"),
    "email5__1": Column("Sales rep email", EMAIL, "users.email", role="Sales Representative"),
    "sales_rep_phone____1": Column("Sales rep phone", PHONE, "users.phone", role="Sales Representative"),
    "jp_pa_law_name__1": Column("Jp PA/Law", TEXT, "pa_law.name"),
    "jp_pa_law_email__1": Column("Pa/law email", EMAIL, "pa_law.email"),
    "jp_pa_law_phone__1": Column("PA/Law phone", PHONE, "pa_law.phone"),
    "dup__of_text0__1": Column("Policy number", TEXT, "policies.policy_number"),
    "text31__1": Column("Insurance company name", TEXT, "insurances.company_name"),
    "phone_132__1": Column("Insurance company phone number", PHONE, "insurances.company_phone"),
    "email05__1": Column("Insurance company email", EMAIL, "insurances.company_email"),
    "date_19__1": Column("Date of Loss", DATE, "storms.date_of_loss"),
}

SALES_STAFF_COLUMN_MAP: ColumnMap = {
    "name": Column("Name", NAME, "", direction="create-only"),
    "text25": Column("FIRST NAME", TEXT, "users.first_name", role="Sales Staff"),
    "text1": Column("LAST NAME", TEXT, "users.last_name", role="Sales Staff"),
    "email__1": Column("WRA Email", EMAIL, "users.email", role="Sales Staff"),
    "email7": Column("RM Email", EMAIL, "users.rm_email", role="Sales Staff"),
    "status_13": Column("TEAM NAME", STATUS, "users.monday_team", role="Sales Staff"),
    "files3": Column(
        "IDENTIFICATION FILES", FILES, "users.identification_files", role="Sales Staff", direction="read-only"
    ),
    "files_1": Column("ONBOARDING FILES", FILES, "users.onboarding_files", role="Sales Staff", direction="read-only"),
    "text6": Column("SHIRT SIZE", TEXT, "users.shirt_size", role="Sales Staff"),
    "phone": Column("PHONE", PHONE, "users.phone", role="Sales Staff"),
    "text": Column("ADDRESS", TEXT, "users.address", role="Sales Staff"),
    "text2": Column("CITY", TEXT, "users.city", role="Sales Staff"),
    "text5": Column("STATE", TEXT, "users.state", role="Sales Staff"),
    "text57": Column("ZIP", TEXT, "users.zip", role="Sales Staff"),
}

# fmt: on

BOARDS: dict[str, ColumnMap] = {"master": MASTER_PROJECT_COLUMN_MAP, "staff": SALES_STAFF_COLUMN_MAP}
"""Board name, as `--board` takes it → its columns."""
