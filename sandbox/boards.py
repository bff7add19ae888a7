"""The two boards of the seeded company, column by column, as they stand on monday.

This is the boards' own side: ids, titles and types are written down here once more on purpose, so that a program
that maps other columns than the boards have is caught. Some columns are of no interest to a sync and are there to be
left alone.
"""

from __future__ import annotations

from sandbox.cells import Column, Label
from sandbox.world import Group

MASTER_BOARD_ID = 6727219152
STAFF_BOARD_ID = 5764059860

TEAMS = (
    "Storm Team",
    "Front Range",
    "Retail",
    "Commercial",
    "North Metro",
    "Canvass Crew",
    "Insurance Desk",
    "Mountain West",
)
TRADES = ("Roof", "Gutters", "Siding", "Windows", "Paint", "Interior", "Solar")
TEAM_LABELS = [1, 2, 3, 4, 6, 7, 8, 9]
"""Ids of the teams' labels: 5 is the blank."""
_COLORS = ("#00c875", "#fdab3d", "#e2445c", "#579bfc", "#a25ddc", "#9cd326", "#784bd1", "#ff642e")

STAGES = (
    "New Lead",
    "Inspection Scheduled",
    "Claim Filed",
    "Adjuster Meeting",
    "Approved",
    "Materials Ordered",
    "In Production",
    "Final Inspection",
    "Completed",
    "Cancelled",
)

_MASTER = """
people__1               people          Assigned
text95__1               text            Current Stage
link__1                 link            Job Progress Link
text01__1               text            Job Progress Name
text40__1               text            Job Progress Job Description
text_7__1               text            Company Cam link
dropdown__1             dropdown        Trades
numbers0                numbers         Total price
qb_total_payments__1    numbers         Total Payment
claim_number__1         text            Claim number
phone_17__1             phone           Adjuster number
email57__1              email           Adjuster email
text65__1               text            Job Progress Contact Full Name
email4__1               email           JP Contact Email
phone_1__1              phone           JP Contact Phone
text43__1               text            Job Progress Customer note
dup__of_job_address0__1 text            Jp Contact Address
files9__1               file            measurements
files66__1              file            One click codes
job_division___1__1     status          Sales Team Name
partner_name__1         text            Partner
partner_email__1        email           Partner email
partner_phone____1      phone           Partner phone
date__1                 date            Next Appointment
text19__1               text            Project manager name
email6__1               email           PM email
phone_13__1             phone           PM number
job_est_1_name__1       text            Estimator name
email0__1               email           Estimator Email
phone_10__1             phone           Estimator Number
dup__of_text6__1        text            Superintendent name
dup__of_email__1        email           Superintendent email
dup__of_phone_1__1      phone           Superintendent phone
text22__1               text            Sales rep first name
text49__1               text            Sales rep last name
email5__1               email           Sales rep email
sales_rep_phone____1    phone           Sales rep phone
connect_boards__1       board_relation  Rep record
lookup__1               mirror          Rep team
jp_pa_law_name__1       text            Jp PA/Law
jp_pa_law_email__1      email           Pa/law email
jp_pa_law_phone__1      phone           PA/Law phone
dup__of_text0__1        text            Policy number
text31__1               text            Insurance company name
phone_132__1            phone           Insurance company phone number
email05__1              email           Insurance company email
date_19__1              date            Date of Loss
long_text__1            long_text       Office notes
formula__1              formula         Balance due
check__1                checkbox        Paid in full
"""

_STAFF = """
text25      text        FIRST NAME
text1       text        LAST NAME
email__1    email       WRA Email
email7      email       RM Email
status_13   status      TEAM NAME
files3      file        IDENTIFICATION FILES
files_1     file        ONBOARDING FILES
text6       text        SHIRT SIZE
phone       phone       PHONE
text        text        ADDRESS
text2       text        CITY
text5       text        STATE
text57      text        ZIP
date4       date        START DATE
people      people      MANAGER
"""


def master_columns() -> list[Column]:
    return _columns(_MASTER)


def staff_columns() -> list[Column]:
    return _columns(_STAFF)


def stage_groups(count: int) -> list[Group]:
    """The first `count` stages of a project as groups; beyond the ten known ones they are numbered."""
    titles = [STAGES[i] if i < len(STAGES) else f"Stage {i + 1}" for i in range(count)]
    return [Group(_slug(title), title, _COLORS[i % len(_COLORS)]) for i, title in enumerate(titles)]


def staff_groups() -> list[Group]:
    return [Group("topics", "Active"), Group("onboarding", "Onboarding"), Group("alumni", "Alumni")]


def _columns(table: str) -> list[Column]:
    """An empty `settings` for all but the columns of choices. The ids of labels jump over 5, the blank."""
    columns = []
    for line in table.strip().splitlines():
        column_id, kind, title = line.split(None, 2)
        columns.append(Column(column_id, title, kind, _labels(kind)))
    return columns


def _labels(kind: str) -> list[Label]:
    texts = TEAMS if kind == "status" else TRADES if kind == "dropdown" else ()
    ids = [number for number in range(1, len(texts) + 2) if number != 5]
    return [Label(number, text, _COLORS[number % 8]) for number, text in zip(ids, texts, strict=False)]


def _slug(title: str) -> str:
    return title.lower().replace(" ", "_")
