"""Keeps where each purchase stands: a row per order, written anew when an order, a document or an asset moves it."""

from __future__ import annotations

import datetime as dt
from itertools import islice

from tieline.kernel.asset_records import AssetState
from tieline.kernel.landscape import ProcureToPay
from tieline.kernel.order_records import OrderState, ProposedAsset
from tieline.kernel.procurement_records import PurchaseProcess
from tieline.kernel.tables import Table
from tieline.processors.order_tables import order_of
from tieline.processors.orders import MAX_REMEMBERED, Orders, Row
from tieline.processors.procure_to_pay import due_lines, next_step, progress_of_lines, steps_of
from tieline.processors.purchase_progress import OrderProgress

# After a start every order is looked at again: so many beside each record, that no transaction grows with the log.
AT_ONCE = 100


class PurchaseTracking:
    """Follows the tables of orders and assets; ``settle`` writes what moved since it was called last."""

    def __init__(self, due: ProcureToPay) -> None:
        self._due = due
        self._moved: dict[str, list[Row]] = {}  # order: rows that changed
        self._progress: dict[str, OrderProgress] = {}
        self._uses: dict[str, dict[str, dt.date]] = {}  # system/line id/unit: asset; of merged assets two have one
        self._in_service: dict[str, dt.date] = {}  # system/line id/unit: the first of them
        self._order_of_ref: dict[str, str] = {}
        self.table: Table[PurchaseProcess] = Table(
            "procurement.process.state.v1", PurchaseProcess, on_change=self._follow_own
        )

    def follow(self, key: str, old: Row | None, new: Row | None) -> None:
        """See ``Table.on_change``: of orders, receipts, invoices and proposed assets."""
        self._moved.setdefault(order_of(key), []).extend(row for row in (old, new) if row is not None)
        if isinstance(new, ProposedAsset) and new.po_line_ref is not None:
            self._order_of_ref[new.po_line_ref] = order_of(key)

    def follow_asset(self, key: str, old: AssetState | None, new: AssetState | None) -> None:
        """See ``Table.on_change``: the first use of what was bought."""
        before, after = _use(old), _use(new)
        if before == after:
            return
        if before is not None:
            self._uses.get(before[0], {}).pop(key, None)
            self._note_use(before[0])
        if after is not None:
            self._uses.setdefault(after[0], {})[key] = after[1]
            self._note_use(after[0])

    def settle(self, orders: Orders) -> None:
        """Bring the rows of the orders that moved up to date."""
        for po_id in list(islice(self._moved, AT_ONCE)):
            self._write(po_id, orders, self._moved.pop(po_id))

    def _note_use(self, ref: str) -> None:
        days = self._uses.get(ref)
        if days:
            self._in_service[ref] = min(days.values())
        else:
            self._uses.pop(ref, None)
            self._in_service.pop(ref, None)
        if ref in self._order_of_ref:
            self._moved.setdefault(self._order_of_ref[ref], [])

    def _follow_own(self, key: str, _old: PurchaseProcess | None, _new: PurchaseProcess | None) -> None:
        # A row that is undone with its transaction is looked at again; one that is right is left alone then.
        self._moved.setdefault(key, [])

    def _write(self, po_id: str, orders: Orders, changed: list[Row]) -> None:
        state = orders.orders.get(po_id)
        if state is None:
            self._progress.pop(po_id, None)
            self.table.delete(po_id)
            return
        steps = steps_of(
            state.fields,
            self._progress_of(state, orders, changed),
            self._due,
            any_documents=orders.receipts.has(po_id) or orders.invoices.has(po_id),
            in_service=self._in_service,
        )
        waiting, known = next_step(steps), self.table.get(po_id)
        row = PurchaseProcess(
            po_id=po_id,
            version=known.version if known else 0,
            company=state.fields.company,
            po_number=state.fields.po_number,
            supplier=state.fields.supplier,
            currency=state.fields.currency,
            steps=steps,
            next_step=waiting.name if waiting else None,
        )
        if row != known:
            self.table.put(po_id, row.model_copy(update={"version": row.version + 1}))

    def _progress_of(self, state: OrderState, orders: Orders, changed: list[Row]) -> OrderProgress:
        """Progress of all lines; of those alone computed anew that the changed rows speak of."""
        po_id, fields = state.po_id, state.fields
        known = self._progress.pop(po_id, None)
        if known is None or any(isinstance(row, OrderState) for row in changed):
            documents = orders.documents(po_id, "", fields)
            known = OrderProgress(progress_of_lines(documents, due_lines(documents)))
        else:
            touched = frozenset(line_id for row in changed for line_id in orders.lines_touched_by(row))
            documents = orders.documents(po_id, "", fields, touched)
            known.update(progress_of_lines(documents, touched & (known.line_ids | due_lines(documents))))
        self._progress[po_id] = known
        if len(self._progress) > MAX_REMEMBERED:
            del self._progress[next(iter(self._progress))]
        return known


def _use(state: AssetState | None) -> tuple[str, dt.date] | None:
    """The order line and unit that an asset was bought on, and its first day of use."""
    if state is None or state.fields.po_line_ref is None or state.fields.in_service_date is None:
        return None
    return state.fields.po_line_ref, state.fields.in_service_date
