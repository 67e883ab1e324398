"""One cost is posted once, by whichever path it comes first (T30).

The same part may reach the ERP as a work order's actual, as a stock issue and on a supplier's invoice. A cost line
names what it stems from (``source_ref``); a document with a line whose source was posted already is kept and not
posted, as a whole, because a financial document is never changed: a person reverses it and enters what is left anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tieline.kernel.clock import Clock
from tieline.kernel.cost_records import CostReport, CostState
from tieline.kernel.memory import Conflict
from tieline.kernel.order_records import InvoiceReport, InvoiceState
from tieline.kernel.tables import Table
from tieline.processors.conflicts import conflicts_over, keep_conflict
from tieline.processors.documents import document_ref

FIELD = "source_ref"


def purchase_line_ref(system: str, line_id: str) -> str:
    """``system/purchase-line/line id``: how a cost line names the order line it was bought with."""
    return f"{system}/purchase-line/{line_id}"


class CostSources:
    """Which accepted document has posted which source; follows the tables of cost documents and invoices."""

    def __init__(self, conflicts: Table[Conflict], systems: Collection[str], clock: Clock) -> None:
        self._conflicts = conflicts
        self._systems = systems
        self._clock = clock
        self._posted: dict[str, dict[str, str]] = {}  # source: document and, for costs, its canonical id
        self._reversed: dict[str, str] = {}  # document: its reversal

    def follow_cost(self, key: str, old: CostState | None, new: CostState | None) -> None:
        """See ``Table.on_change``."""
        for row in (old, new):
            if row is None:
                continue
            refs = {line.source_ref for line in row.fields.lines if line.source_ref and row.duplicate_of is None}
            self._keep(
                document_ref(row.origin_system, row.origin_native_id),
                refs,
                row.origin_system,
                row.fields.reversal_of,
                key if row is new else None,
            )

    def follow_invoice(self, key: str, old: InvoiceState | None, new: InvoiceState | None) -> None:
        """See ``Table.on_change``."""
        for row in (old, new):
            if row is None:
                continue
            fields = row.fields
            refs = {purchase_line_ref(fields.order_system or row.origin_system, line.line_id) for line in fields.lines}
            document = document_ref(row.origin_system, row.origin_native_id)
            self._keep(document, refs, row.origin_system, fields.reversal_of, key if row is new else None)

    def posted_before(self, report: CostReport) -> dict[int, str]:
        """Line number and the document that posted its source, for the lines of a new document that were posted.

        A reversal is never asked, nor a document whose reversal came first: the two must stay net zero.
        """
        own = document_ref(report.origin.system, report.origin.native_id)
        if report.fields.reversal_of is not None or own in self._reversed:
            return {}
        found = {line.line_no: self._holder(line.source_ref) for line in report.fields.lines if line.source_ref}
        return {line_no: holder for line_no, holder in found.items() if holder not in {None, own}}

    def note(self, cost_doc_id: str, report: CostReport, before: Mapping[int, str], original: CostState | None) -> None:
        """Make it visible that a document is not posted, and by what its lines were (Invariant 9).

        A reversal ends what is said of its ``original``: nothing of it stands twice any more.
        """
        if original is not None:
            for key, _ in conflicts_over(self._conflicts, self._systems, original.cost_doc_id, FIELD):
                self._conflicts.delete(key)
        if not before:
            return
        lines = ", ".join(f"{line_no} by {holder}" for line_no, holder in sorted(before.items()))
        said = (
            f"lines posted before: {lines}; {report.fields.total} {report.fields.currency} is not posted: reverse the "
            "document, and enter what is left as a new one"
        )
        holder = next(iter(before.values()))
        self._put(cost_doc_id, holder.split("/", 1)[0], report.origin.system, holder, said)

    def note_invoice(self, report: InvoiceReport) -> None:
        """An invoice charges what a cost document posted: the ERP has both, and a person must reverse one."""
        fields, origin = report.fields, report.origin
        document = document_ref(origin.system, origin.native_id)
        if fields.reversal_of is not None or document in self._reversed:
            return
        for line in fields.lines:
            ref = purchase_line_ref(fields.order_system or origin.system, line.line_id)
            for holder, key in self._posted.get(ref, {}).items():
                if holder not in self._reversed and "|" not in key:
                    said = f"invoice {document} charges it too: reverse the cost document"
                    self._put(key, holder.split("/", 1)[0], origin.system, holder, said)

    def _holder(self, ref: str) -> str | None:
        return next((doc for doc in self._posted.get(ref, {}) if doc not in self._reversed), None)

    def _keep(self, document: str, refs: set[str], system: str, reversal_of: str | None, key: str | None) -> None:
        """Remember a document under its sources, or forget it where ``key`` is None."""
        if reversal_of is not None:
            original = document_ref(system, reversal_of)
            if key is not None:
                self._reversed[original] = document
            else:
                self._reversed.pop(original, None)
            return
        for ref in refs:
            if key is not None:
                self._posted.setdefault(ref, {})[document] = key
            elif document in self._posted.get(ref, {}):
                del self._posted[ref][document]
                if not self._posted[ref]:
                    del self._posted[ref]

    def _put(self, cost_doc_id: str, owner: str, system: str, owned: str, said: str) -> None:
        row = Conflict(
            canonical_id=cost_doc_id,
            field=FIELD,
            owner=owner,
            system=system,
            owned_value=f"posted by {owned}",
            foreign_value=said,
            detected_at=self._clock(),
        )
        keep_conflict(self._conflicts, row)
