"""What the seeded company's people, streets and firms are called. Nobody here is real; domains end in `.example`."""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


FIRST_NAMES = _listed(
    "James|Mary|Robert|Patricia|John|Jennifer|Michael|Linda|David|Elizabeth|William|Barbara|Richard|Susan|"
    "Joseph|Jessica|Thomas|Karen|Christopher|Sarah|Daniel|Lisa|Matthew|Nancy|Anthony|Sandra|Mark|Ashley|"
    "Steven|Emily|Andrew|Donna|Paul|Michelle|Joshua|Carol|Kenneth|Amanda|Kevin|Melissa|Brian|Deborah|Timothy|"
    "Stephanie|Ronald|Rebecca|Jason|Laura|Ryan|Helen|Jacob|Sharon|Gary|Cynthia|Nicholas|Kathleen|Eric|Amy|"
    "Jonathan|Angela|José|María|Zoë|André|Søren|Nguyễn|Priya|Wei|Omar|Fatima|Dmitri|Anja|Luis|Rosa|Diego|"
    "Elena"
)
LAST_NAMES = _listed(
    "Smith|Johnson|Williams|Brown|Jones|Garcia|Miller|Davis|Rodriguez|Martinez|Hernandez|Lopez|Gonzalez|"
    "Wilson|Anderson|Thomas|Taylor|Moore|Jackson|Martin|Lee|Perez|Thompson|White|Harris|Sanchez|Clark|Ramirez|"
    "Lewis|Robinson|Walker|Young|Allen|King|Wright|Scott|Torres|Hill|Flores|Green|Adams|Nelson|Baker|Hall|"
    "Rivera|Campbell|Mitchell|Carter|Roberts|Gomez|Phillips|Evans|Turner|Diaz|Parker|Cruz|Edwards|Collins|"
    "Reyes|Stewart|Morris|Morales|Murphy|Cook|Rogers|Gutierrez|Ortiz|Morgan|Cooper|Peterson|Bailey|Reed|Kelly|"
    "Howard|Ramos|Kim|Cox|Ward|Richardson|Watson|Brooks|Chavez|Wood|James|Bennett|Gray|Mendoza|Ruiz|Hughes|"
    "Price|Alvarez|Castillo|Sanders|Patel|Myers|Long|Ross|O'Brien|McDonald|De La Cruz|Van Dyke|St. John|Núñez|"
    "Müller"
)
STREETS = _listed(
    "Main St|Oak Ave|Maple Dr|Cedar Ln|Pine St|Elm St|Washington Blvd|Lake Shore Dr|Park Ave|Sunset Blvd|Highland Rd|"
    "Hillcrest Ct|Ridge Way|Meadow Ln|Aspen Cir|Colfax Ave|Federal Blvd|Wadsworth Blvd|Sheridan Pkwy|Larimer St|"
    "Juniper Pl|Willow Creek Rd|Prairie View Dr|County Road 12|N Academy Blvd|E Mississippi Ave|W 38th Ave|S Broadway"
)
CITIES = (
    ("Denver", "CO", "80202"),
    ("Aurora", "CO", "80012"),
    ("Lakewood", "CO", "80226"),
    ("Boulder", "CO", "80301"),
    ("Fort Collins", "CO", "80521"),
    ("Colorado Springs", "CO", "80903"),
    ("Arvada", "CO", "80002"),
    ("Thornton", "CO", "80229"),
    ("Cheyenne", "WY", "82001"),
    ("Omaha", "NE", "68102"),
    ("Wichita", "KS", "67202"),
    ("Springfield", "MA", "01103"),
)
UNPARSED_ADDRESSES = (
    "see notes",
    "lot behind the church, ask for Bill",
    "TBD",
    "corner of 5th and Main",
    "same as last job",
    "PO Box 1182",
)
INSURERS = _listed(
    "Prairie Mutual|Front Range Casualty|Summit Farm & Home|Great Basin Insurance|Pinnacle Property|Heartland Mutual|"
    "Union Homeowners|Liberty Bell Casualty|Western Shield|Columbine Insurance Co.|Evergreen Assurance|Bluestem Mutual|"
    "Patriot Home|Continental Divide Ins.|Sandhills Farm Bureau|American Hearth|Guardian Roof & Home|Cornerstone P&C|"
    "Redstone Casualty|High Plains Mutual"
)
LAW_FIRMS = _listed(
    "Adler & Vance PLLC|Rocky Claims Adjusters|Mesa Public Adjusting|Whitfield Law Group|Claimwise PA|Harper Boyd LLP|"
    "Tri-State Adjusters|Nolan & Pruitt|Fair Loss Advocates|Bright Line PA|Kessler Law Office|Northgate Adjusting|"
    "Sutter & Lowe|PolicyHolder Partners|Gable Public Adjusters|Dunn Cobb Reyes|True North PA|Alder Claims|"
    "Marlow & Finch|Stonebridge Law|Equity Adjusting Co.|Vista Claims Group|Lindqvist Law|Peak Recovery PA|"
    "Hollis & Grant|Anchor Adjusters|Jensen Roe PC|Clearwater PA|Barton Tull LLP|Homeowner's Ally"
)
JOBS = _listed(
    "Full roof replacement|Hail damage repair|Gutter replacement|Wind damage, partial reroof|Roof and siding|"
    "Emergency tarp and repair|Skylight and flashing|TPO flat roof|Tile roof restoration|Inspection only"
)
DETAILS = _listed(
    "laminated shingles, ridge vent|two storeys, steep slope|30 squares, two layers|homeowner wants impact resistant|"
    "needs permit from the county|HOA approval pending|supplement sent|satellite dish to detach|"
    "dog in the yard, call first|metal accents on the porch"
)
NOTES = _listed(
    "Prefers text messages.|Call after 5 pm.|Gate code is with the office.|Second claim in five years.|"
    "Neighbour of an earlier customer.|Deductible discussed, will pay by cheque.|Spanish speaking household.|"
    "Wants the same crew as last time.|Waiting for mortgage company's endorsement.|Very happy with the inspection."
)
PLACEHOLDER_EMAILS = ("none@none.com", "na@na.com", "test@test.com", "noemail@noemail.com")
AREA_CODES = ("303", "720", "970", "719", "307", "402", "316", "413")
SHIRTS = ("S", "M", "L", "XL", "2XL", "3XL")
