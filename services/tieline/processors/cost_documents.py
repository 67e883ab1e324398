"""accept, cost documents: each is posted once and never changed; who bears it is told by equipment and reversals."""

from __future__ import annotations

from collections.abc import Collection

from tieline.kernel.clock import Clock
from tieline.kernel.memory import Conflict
from tieline.kernel.model import CostEvent, CostReport, CostShare, CostState
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import COST_EVENTS
from tieline.processors.accepting import accepted_as
from tieline.processors.cost_sources import CostSources
from tieline.processors.equipment import Equipment, negated
from tieline.processors.fiscal_periods import Waits
from tieline.processors.orders import check_sum
from tieline.processors.period_gate import PeriodGate, changed_document
from tieline.processors.reversals import Reversals


class CostDocuments:
    """The accepted documents. ``conflicts`` is accept's own table; the caller has made sure who speaks."""

    def __init__(
        self,
        systems: Collection[str],
        gate: PeriodGate,
        equipment: Equipment,
        *,
        conflicts: Table[Conflict],
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._equipment = equipment
        self._reversals = Reversals()
        self.sources = CostSources(conflicts, systems, clock)
        self.table: Table[CostState] = Table("cost.document.state.v1", CostState, on_change=self._follow)

    def check(self, cost_doc_id: str, report: CostReport) -> None:
        """What is wrong with a document by itself. Raises ``Rejected``."""
        check_sum(report.fields.total, (line.amount for line in report.fields.lines), "fields.total")
        if self.table.get(cost_doc_id) is None:
            self._reversals.check(report)
            self._gate.check_reversal(report)

    def post(self, cost_doc_id: str, report: CostReport, asset_id: str | None) -> list[Outbound] | Waits:
        """The document's event, or why it must wait. Raises ``Rejected`` for one that was changed."""
        fields, origin = report.fields, report.origin
        state = self.table.get(cost_doc_id)
        if state is not None:
            if state.fields != fields:
                raise changed_document()
            return []
        asset_id, shares = self._borne_by(report, asset_id)
        row = _cost_row(cost_doc_id, report, asset_id, shares)
        original, before = self._reversals.original_of(report), self.sources.posted_before(report)
        duplicate_of = original.duplicate_of if original else next(iter(before.values()), None)
        if duplicate_of is not None:
            # T30: neither it nor its reversal is posted.
            self.table.put(cost_doc_id, row.model_copy(update={"duplicate_of": duplicate_of}))
            self.sources.note(cost_doc_id, report, before, original)
            return []
        posts = self._gate.periods.decide(fields.company, fields.effective_date, "fields.effective_date")
        if isinstance(posts, Waits):
            return posts
        self.table.put(cost_doc_id, row.model_copy(update={"posting_date": posts.date}))
        self.sources.note(cost_doc_id, report, before, original)
        accepted = accepted_as(1, origin, fields.effective_date, tuple(type(fields).model_fields), posts)
        event = CostEvent(cost_doc_id=cost_doc_id, asset_id=asset_id, accepted=accepted, fields=fields, shares=shares)
        name = "CostPosted" if fields.reversal_of is None else "CostReversed"
        return [Outbound(COST_EVENTS, cost_doc_id, Typed(name, event))]

    def _borne_by(self, report: CostReport, asset_id: str | None) -> tuple[str | None, tuple[CostShare, ...]]:
        """The asset a document is about, and where those are several, what each of them bears (T29)."""
        other = self._reversals.counterpart_of(report)
        if other is not None:
            return other.asset_id, negated(other.shares)  # net zero on each asset, whatever was linked since
        shares = self._equipment.bearers(asset_id, report.fields)
        return (shares[0].asset_id, ()) if len(shares) == 1 else (asset_id, shares)

    def _follow(self, key: str, old: CostState | None, new: CostState | None) -> None:
        self._reversals.follow(key, old, new)
        self.sources.follow_cost(key, old, new)


def _cost_row(cost_doc_id: str, report: CostReport, asset_id: str | None, shares: tuple[CostShare, ...]) -> CostState:
    return CostState(
        cost_doc_id=cost_doc_id,
        version=1,
        asset_id=asset_id,
        origin_system=report.origin.system,
        origin_native_id=report.origin.native_id,
        fields=report.fields,
        shares=shares,
    )
