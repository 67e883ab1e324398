"""The processors as the loop runs them: which topics each reads, and which tables it keeps."""

from __future__ import annotations

from typing import Any

from tieline.kernel.clock import Clock
from tieline.kernel.consuming import Processor
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.ownership import ERP, load_ownership
from tieline.kernel.reference_records import REFERENCE_REPORTS
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import IDENTIFIED, results_of
from tieline.processors.accept import Accept
from tieline.processors.depreciation_runs import RUN_REPORTS
from tieline.processors.fiscal_periods import PERIOD_REPORTS
from tieline.processors.identify import Identify
from tieline.processors.route import Route

REPORTS = (
    "asset.asset.report.v1",
    "asset.book.report.v1",
    "asset.movement.report.v1",
    "procurement.purchase-order.report.v1",
    "procurement.receipt.report.v1",
    "procurement.invoice.report.v1",
    "cost.document.report.v1",
    "asset.equipment-link.report.v1",
    "asset.audit.report.v1",
    "hub.link-decision.report.v1",
    *REFERENCE_REPORTS,
)
EVENTS = (
    "asset.asset.event.v1",
    "asset.book.event.v1",
    "procurement.purchase-order.event.v1",
    "cost.document.event.v1",
)


def build_processor(name: str, landscape: Landscape, clock: Clock) -> Processor:
    """The processor of that name. Raises ``Stop`` for no such one."""
    if name == "identify":
        books = landscape.having_role(ERP)
        identify = Identify(clock, books_kept_by=books, code_lists=landscape.code_lists)
        results = tuple(results_of(system) for system in landscape.systems)
        reports = (*REPORTS, *(family.topic("report") for family in landscape.families))
        return Processor(name, (*reports, *results), identify.handle, (identify.links.table, identify.holds.table))
    if name == "accept":
        accept = Accept(landscape, load_ownership(landscape.ownership), clock)
        bought = accept.purchasing
        documents = (bought.receipts.table, bought.invoices.table, bought.proposals.table)
        things = (accept.assets.table, accept.books.table, accept.conflicts, accept.duplicates.table)
        tables: tuple[Table[Any], ...] = (
            *things,
            bought.orders,
            *documents,
            accept.movements.table,
            accept.movements.roll_forwards.table,
            accept.tracking.table,
            accept.costs.table,
            accept.equipment.table,
            accept.audits.table,
            accept.runs.table,
            accept.gate.periods.table,
            accept.gate.holds,
            *accept.references.tables.values(),
            accept.references.removed,
            *accept.families.tables.values(),
        )
        return Processor(
            name, (IDENTIFIED, PERIOD_REPORTS, RUN_REPORTS), accept.handle, tables, (accept.assets.ledger,)
        )
    if name == "route":
        route = Route(landscape, load_ownership(landscape.ownership))
        events = (*EVENTS, *(family.topic("event") for family in landscape.families))
        return Processor(name, events, route.handle, (), (route.assets, route.books))
    raise Stop(f"there is no processor {name!r}; there are identify, accept and route")
