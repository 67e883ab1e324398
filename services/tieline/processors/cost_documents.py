"""cost documents: what asset management says of a work order's costs becomes an event, once and for good.

A document is posted as an expense, capitalised, or kept as a duplicate, always whole; its correction is a reversal.
"""

from __future__ import annotations

from tieline.kernel.clock import Clock
from tieline.kernel.cost_postings import check_receivers
from tieline.kernel.cost_records import CostEvent, CostReport, CostShare, CostState, CostTreatment
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import COST_EVENTS
from tieline.processors.accepting import accepted_as
from tieline.processors.capital_costs import CapitalCosts
from tieline.processors.cost_sources import CostSources
from tieline.processors.cost_treatments import CostChoice, check_treatment, choose_cost_treatment
from tieline.processors.equipment import Equipment, negated
from tieline.processors.fiscal_periods import Waits
from tieline.processors.orders import check_sum
from tieline.processors.period_gate import PeriodGate, changed_document
from tieline.processors.reversals import Reversals


class CostDocuments:
    """The accepted documents. The caller has made sure that asset management speaks."""

    def __init__(
        self, landscape: Landscape, conflicts: Table[Conflict], equipment: Equipment, gate: PeriodGate, clock: Clock
    ) -> None:
        self._rules = landscape.capitalisation.repairs
        self._equipment = equipment
        self._gate = gate
        self._reversals = Reversals()
        self.sources = CostSources(conflicts, landscape.systems, clock)
        self.capital = CapitalCosts(landscape, conflicts, clock)
        self.table: Table[CostState] = Table("cost.document.state.v1", CostState, on_change=self._follow)

    def check(self, cost_doc_id: str, report: CostReport, asset_id: str | None) -> None:
        """Raises ``Rejected`` for a document that is wrong by itself, or cannot stand beside those accepted or held."""
        fields = report.fields
        check_sum(fields.total, (line.amount for line in fields.lines), "fields.total")
        if self.table.get(cost_doc_id) is not None:
            return
        check_receivers(fields)
        check_treatment(fields)
        self._reversals.check(report)
        self._gate.check_reversal(report)
        self._treat(report, asset_id)

    def accept(self, cost_doc_id: str, report: CostReport, asset_id: str | None) -> list[Outbound] | Waits:
        """The event of a document, none for one that is known or a duplicate; or the period it must wait for."""
        fields, origin = report.fields, report.origin
        known = self.table.get(cost_doc_id)
        if known is not None:
            if known.fields != fields:
                raise changed_document()
            return []
        choice = self._treat(report, asset_id)
        asset_id, shares = self._borne_by(report, asset_id)
        row = CostState(
            cost_doc_id=cost_doc_id,
            version=1,
            asset_id=asset_id,
            origin_system=origin.system,
            origin_native_id=origin.native_id,
            fields=fields,
            shares=shares,
            treatment=choice.treatment,
            treatment_reason=choice.reason,
        )
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
        self.capital.tell_cost(row)
        event = CostEvent(
            cost_doc_id=cost_doc_id,
            asset_id=asset_id,
            accepted=accepted_as(1, origin, fields.effective_date, tuple(type(fields).model_fields), posts),
            fields=fields,
            shares=shares,
            treatment=choice.treatment,
            treatment_reason=choice.reason,
        )
        return [Outbound(COST_EVENTS, cost_doc_id, Typed(_name(event), event))]

    def _treat(self, report: CostReport, asset_id: str | None) -> CostChoice:
        """What the books do with the document. A reversal takes back what its original did, whatever the rules now."""
        other = self._reversals.counterpart_of(report)
        if other is not None:
            return CostChoice(other.treatment, other.treatment_reason)
        choice = choose_cost_treatment(report.fields, self._rules)
        if choice.treatment is CostTreatment.CAPITALISE and asset_id is None:
            raise Rejected(
                f"{report.fields.total} {report.fields.currency} is to be capitalised on no asset",
                field="fields.asset_native_id",
                remedy="name the asset in a new document, or do not say that it is to be capitalised",
            )
        return choice

    def _borne_by(self, report: CostReport, asset_id: str | None) -> tuple[str | None, tuple[CostShare, ...]]:
        """The asset a document is about, and where those are several, what each of them bears (T29)."""
        other = self._reversals.counterpart_of(report)
        if other is not None:
            return other.asset_id, negated(other.shares)  # net zero on each asset, whatever was linked since
        shares = self._equipment.bearers(asset_id, report.fields)
        return (shares[0].asset_id, ()) if len(shares) == 1 else (asset_id, shares)

    def _follow(self, key: str, old: CostState | None, new: CostState | None) -> None:
        """See ``Table.on_change``."""
        self._reversals.follow(key, old, new)
        self.sources.follow_cost(key, old, new)
        self.capital.follow_cost(key, old, new)


def _name(event: CostEvent) -> str:
    if event.fields.reversal_of is not None:
        return "CostReversed"
    return "CostCapitalised" if event.treatment is CostTreatment.CAPITALISE else "CostPosted"
