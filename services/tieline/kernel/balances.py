"""The general ledger beside the subledger: read before and after the records, so that what moved meanwhile shows."""

from __future__ import annotations

from collections.abc import Mapping

from tieline.kernel.errors import Rejected, Retryable
from tieline.kernel.ledger_records import LedgerBalance
from tieline.kernel.memory import Observed
from tieline.kernel.protocols import Connector

LEDGER_BALANCE = "ledger-balance"

Balances = Mapping[str, LedgerBalance | Rejected]
"""By the account's native id: its balance, or why it cannot be read."""


async def read_balances(connector: Connector) -> Balances:
    """Every control account as it is now; none where the connector declares none. Raises as ``Source`` does."""
    accounts = connector.control_accounts
    found: dict[str, LedgerBalance | Rejected] = {}
    if accounts is None:
        return found
    async for item in connector.source.read_all(accounts.stream):
        try:
            found[item.native_id] = accounts.map_item(item)
        except Rejected as rejection:
            found[item.native_id] = rejection
    return found


def observe_balances(run_id: str, system: str, before: Balances, after: Balances) -> list[Observed]:
    """The accounts as observed records. Raises ``Retryable`` when they are others than before: nothing is proven."""
    if before.keys() != after.keys():
        raise Retryable("the control accounts changed while the records were read")  # Invariant 12
    return [_observed(run_id, system, native_id, before[native_id], after[native_id]) for native_id in sorted(after)]


def _observed(
    run_id: str, system: str, native_id: str, before: LedgerBalance | Rejected, after: LedgerBalance | Rejected
) -> Observed:
    unreadable = next((each for each in (after, before) if isinstance(each, Rejected)), None)
    balance = None
    if isinstance(before, LedgerBalance) and isinstance(after, LedgerBalance):
        balance = after.model_copy(update={"balance_before": before.balance})
    return Observed(
        run_id=run_id,
        system=system,
        entity=LEDGER_BALANCE,
        native_id=native_id,
        ledger_balance=balance,
        unreadable=None if unreadable is None else str(unreadable)[:500],
    )
