"""Names of topics that more than one room uses: rooms meet in topics, so the names are the kernel's."""

from __future__ import annotations

IDENTIFIED = "hub.identified.report.v1"
PERIOD_HOLDS = "hub.period-hold.state.v1"
LEDGER = "hub.delivery-ledger.state.v1"
RUN_TOPIC = "recon.run.event.v1"
ASSET_EVENTS = "asset.asset.event.v1"
BOOK_EVENTS = "asset.book.event.v1"
COST_EVENTS = "cost.document.event.v1"
POSTING_EVENTS = "depreciation.posting.event.v1"


def commands_of(system: str) -> str:
    """What one system must do."""
    return f"sink.{system}.command.v1"


def results_of(system: str) -> str:
    """What one system answered."""
    return f"sink.{system}.result.v1"
