"""The processors as the loop runs them: which topics each reads, and which tables it keeps."""

from __future__ import annotations

from tieline.kernel.clock import Clock
from tieline.kernel.consuming import Processor
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.ownership import load_ownership
from tieline.processors.accept import Accept
from tieline.processors.fiscal_periods import PERIOD_REPORTS
from tieline.processors.identify import IDENTIFIED, Identify
from tieline.processors.route import Route

REPORTS = (
    "asset.asset.report.v1",
    "asset.book.report.v1",
    "procurement.purchase-order.report.v1",
    "procurement.receipt.report.v1",
    "procurement.invoice.report.v1",
    "cost.document.report.v1",
)
EVENTS = (
    "asset.asset.event.v1",
    "asset.book.event.v1",
    "procurement.purchase-order.event.v1",
    "cost.document.event.v1",
)


def build_processor(name: str, landscape: Landscape, clock: Clock) -> Processor:
    """The processor of that name. Raises ``Stop`` for one that does not exist."""
    if name == "identify":
        identify = Identify(clock)
        results = tuple(f"sink.{system}.result.v1" for system in landscape.systems)
        return Processor(name, (*REPORTS, *results), identify.handle, (identify.links.table, identify.holds.table))
    if name == "accept":
        accept = Accept(landscape, load_ownership(), clock)
        bought = accept.purchasing
        documents = (bought.receipts.table, bought.invoices.table, bought.proposals.table)
        believed = (accept.assets, accept.books, bought.orders, *documents, accept.costs, accept.conflicts)
        tables = (*believed, accept.gate.periods.table, accept.gate.holds)
        return Processor(name, (IDENTIFIED, PERIOD_REPORTS), accept.handle, tables, (accept.ledger,))
    if name == "route":
        route = Route(landscape, load_ownership())
        return Processor(name, EVENTS, route.handle, (), (route.assets, route.books))
    raise Stop(f"there is no processor {name!r}; there are identify, accept and route")
