"""accept, assets: what a record says of an asset becomes the hub's word on it, an event, a conflict, or waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tieline.kernel.asset_records import AssetEvent, AssetReport, AssetState
from tieline.kernel.clock import Clock
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import Conflict, LedgerEntry
from tieline.kernel.ownership import ASSET_MANAGEMENT, ERP, Ownership
from tieline.kernel.records import Outbound, Typed
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import ASSET_EVENTS
from tieline.kernel.vocabulary import Origin
from tieline.processors.accepting import Posts, accepted_as, role_of
from tieline.processors.equipment import Equipment, without_disposal
from tieline.processors.fiscal_periods import FiscalPeriods, Waits
from tieline.processors.foreign_edits import ForeignEdits
from tieline.processors.hearing import hear, is_outdated, was_heard
from tieline.processors.merging import Merged, echoed_version, merge_report, name_event
from tieline.processors.period_gate import Arrival
from tieline.processors.postings import dates_to_post
from tieline.processors.proposals import Proposals, refuse, without
from tieline.processors.recipients import asset_flows
from tieline.processors.references import References
from tieline.processors.vectors import reach

Follow = Callable[[str, AssetState | None, AssetState | None], None]


class AssetRecords:
    """What the hub believes of assets. ``conflicts`` is accept's own table; ``follow`` is told of every change."""

    def __init__(
        self,
        landscape: Landscape,
        ownership: Ownership,
        clock: Clock,
        *,
        conflicts: Table[Conflict],
        references: References,
        periods: FiscalPeriods,
        equipment: Equipment,
        follow: Follow,
    ) -> None:
        self._landscape = landscape
        self._ownership = ownership
        self._periods = periods
        self._equipment = equipment
        self._foreign_edits = ForeignEdits(conflicts, landscape.systems, clock)
        self._proposals = Proposals(landscape, references)
        self.table: Table[AssetState] = Table("asset.asset.state.v1", AssetState, on_change=follow)
        self.ledger: Table[LedgerEntry] = Table("hub.delivery-ledger.state.v1", LedgerEntry)

    def seen(self, asset_id: str, report: AssetReport) -> int:
        """The hub's version that the system had seen when it spoke; later the ledger tells of later writes only."""
        entry = self._entry(asset_id, report)
        return reach(report, entry, echoed_version(report, entry))

    def was_taken(self, asset_id: str, report: AssetReport) -> bool:
        """Whether the report says nothing that was not taken before: it comes again, and has nothing to wait for."""
        state = self.table.get(asset_id)
        if state is None or is_outdated(state, report.origin) or not was_heard(state, report.origin):
            return is_outdated(state, report.origin)
        role = role_of(self._landscape, report.origin)
        merged = merge_report(state, report, role, self._ownership)
        return not merged.changed and merged.links == state.links

    def post(self, arrival: Arrival, report: AssetReport) -> list[Outbound] | Waits:
        """What the report gives, or why it must wait; nothing has changed then."""
        asset_id, said, origin = arrival.canonical_id, report, report.origin
        role = role_of(self._landscape, origin)
        state = self.table.get(asset_id)
        if report.deleted and state is None:
            return []  # a deletion never makes an asset
        leaving = self._equipment.leaving(asset_id, report, self.table) if role == ASSET_MANAGEMENT else []
        if any(link.asset_id == asset_id for link in leaving):
            report = without_disposal(report)  # T29: a unit that leaves is no disposal of all of them
        entry = self._entry(asset_id, report)
        echo = echoed_version(report, entry)
        at_most = entry.applied_version if entry else 0
        hear_by = partial(
            merge_report,
            role=role,
            ownership=self._ownership,
            echo=echo,
            seen=max(arrival.seen, reach(report, entry, echo)),
            seen_at_most=at_most,
            has_waited=arrival.has_waited,
        )
        merged = hear_by(state, report)
        refusals = self._proposals.judge(state, report, merged, role, self._ownership)
        if isinstance(refusals, Waits):
            return refusals
        if refusals:
            spoken = without(report, refusals)
            merged = hear_by(state, spoken)
            merged = refuse(merged, refusals)
        posts = self._where(state, merged, report)
        if isinstance(posts, Waits):
            return posts
        found = self._foreign_edits.note(asset_id, state, report, merged, refusals)
        found += self._equipment.propose(leaving, said, self.table)
        if state is not None and not merged.changed and merged.links == state.links:
            # Who vouches for a value, and when, is worth keeping, but it is no event: nothing about the asset changed.
            vouched = {"said_by": merged.said_by, "said_at": merged.said_at, "heard_at": hear(state, origin)} | {
                "words": merged.words
            }
            if (kept := state.model_copy(update=vouched)) != state:
                self.table.put(asset_id, kept)
            return found
        version = (state.version if state else 0) + 1
        changed = merged.changed if merged.links == (state.links if state else {}) else (*merged.changed, "links")
        new = AssetState(
            asset_id=asset_id,
            version=version,
            fields=merged.fields,
            said_by=merged.said_by,
            links=merged.links,
            said_at=merged.said_at,
            heard_at=hear(state, origin),
            words=merged.words,
        )
        name, effective = name_event(state, new, merged.changed, origin.recorded_at.date())
        period = posts.period
        if period is None and name in {"AssetDisposed", "AssetPlacedInService"}:
            period = self._periods.period_of(new.fields.company, effective)
        accepted = accepted_as(version, origin, effective, changed, Posts(period, posts.date), returned=merged.returned)
        event = AssetEvent(asset_id=asset_id, accepted=accepted, fields=merged.fields, links=merged.links)
        self.table.put(asset_id, new.model_copy(update={"sent": self._sent(state, event)}))
        return [Outbound(ASSET_EVENTS, asset_id, Typed(name, event)), *found]

    def _sent(self, state: AssetState | None, event: AssetEvent) -> dict[str, int]:
        """The version each system is sent. What is never sent is not under way: nothing would be returned over it."""
        accepted = event.accepted
        systems = {flow.target for flow in asset_flows(self._landscape, event)}
        systems |= {accepted.origin_system} if accepted.returned_fields else set()
        return {**(state.sent if state else {}), **dict.fromkeys(systems, accepted.version)}

    def _where(self, state: AssetState | None, merged: Merged, report: AssetReport) -> Posts | Waits:
        """Where the in-service date or the disposal posts that this report would bring to the ERP (Invariant 10)."""
        where = Posts(None)
        for field, day in dates_to_post(state, merged, report, self._erps_of(report.origin)):
            decided = self._periods.decide(merged.fields.company, day, f"fields.{field}")
            if isinstance(decided, Waits):
                return decided
            where = decided
        return where

    def _erps_of(self, origin: Origin) -> frozenset[str]:
        """ERPs that learn of the system's asset records."""
        flows = self._landscape.targets("asset", origin.system)
        return frozenset(flow.target for flow in flows if self._landscape.role_of(flow.target) == ERP)

    def _entry(self, asset_id: str, report: AssetReport) -> LedgerEntry | None:
        return self.ledger.get(f"{report.origin.system}/asset/{asset_id}")
