"""What the tour of the demo shows of its database, and edits in it as a person would."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from postgres.transaction import Transaction

_COUNTS: Final = """
SELECT 'projects', count(*) FROM public.projects UNION ALL SELECT 'customers', count(*) FROM public.customers
UNION ALL SELECT 'properties', count(*) FROM public.properties UNION ALL SELECT 'users', count(*) FROM public.users
UNION ALL SELECT 'sales_teams', count(*) FROM public.sales_teams UNION ALL SELECT 'pa_law', count(*) FROM public.pa_law
UNION ALL SELECT 'policies', count(*) FROM public.policies
UNION ALL SELECT 'insurances', count(*) FROM public.insurances
UNION ALL SELECT 'storms', count(*) FROM public.storms
"""

_LINKED: Final = """
SELECT p.monday_item_id, p.name, p.estimated_value, p.claim_number, c.name, c.phone, h.address, i.company_name, m.name
FROM public.projects p
JOIN public.customers c ON c.id = p.customer_id
JOIN public.properties h ON h.id = p.property_id
JOIN public.insurances i ON i.id = p.insurance_id
JOIN public.users m ON m.id = p.project_manager_id
JOIN monday_sync.sync_item s ON s.item_id = p.monday_item_id AND s.tolerated = 0
WHERE p.estimated_value > 0 AND p.claim_number <> '' AND c.name <> '' AND c.phone <> '' AND i.company_name <> ''
  AND (SELECT count(*) FROM public.projects other WHERE other.customer_id = c.id) = 1
ORDER BY p.monday_item_id LIMIT 3
"""


class Linked(NamedTuple):
    """One project and the rows it points at."""

    item: int
    name: str
    price: Any
    claim: str
    customer: str
    phone: str
    address: str
    insurance: str
    manager: str


def count_rows(tx: Transaction) -> dict[str, int]:
    """Table → its rows."""
    return dict(tx.rows(_COUNTS))


def linked_projects(tx: Transaction) -> list[Linked]:
    """The first three projects with everything that the tour edits."""
    return [Linked(*row) for row in tx.rows(_LINKED)]


def complete_stage(tx: Transaction, item: int) -> None:
    """Set the stage of an item's project to Completed."""
    tx.execute("UPDATE public.projects SET current_stage = 'Completed' WHERE monday_item_id = %s", (item,))


def lengthen_claim_number(tx: Transaction, item: int) -> None:
    """Put -B behind the claim number of an item's project."""
    tx.execute("UPDATE public.projects SET claim_number = claim_number || '-B' WHERE monday_item_id = %s", (item,))


def move_to_boulder(tx: Transaction, item: int) -> None:
    """Change the city of the property of an item's project."""
    tx.execute(
        "UPDATE public.properties SET city = 'Boulder'"
        " WHERE id = (SELECT property_id FROM public.projects WHERE monday_item_id = %s)",
        (item,),
    )
