"""The period gate: what falls in a closed period is held with its effective date and released in order (Invariant 10).

Held reports stand in lanes: everything about one asset that asset management says waits together, in the order it came,
and so does a reversal with its document. The ERP's own word never waits: what it says is in its books already.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.clock import Clock
from tieline.kernel.cost_records import CostReport, CostState
from tieline.kernel.dead_letters import clean
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.landscape import Landscape
from tieline.kernel.memory import PeriodHold
from tieline.kernel.producing import CORRELATION
from tieline.kernel.records import Inbound, Outbound
from tieline.kernel.tables import Table
from tieline.processors.accepting import Posts
from tieline.processors.fiscal_periods import FiscalPeriods, Waits
from tieline.processors.hearing import is_older
from tieline.processors.index import Index
from tieline.processors.reversals import Reversals


@dataclass(frozen=True, slots=True)
class Arrival:
    """A report under its canonical id; ``asset_id`` is the asset a cost document is about.

    ``has_waited``: others may have spoken of the same thing since it was said. ``is_reheard``: what was refused is
    tried again; its system has not taken it back since, whatever else it said of the record. ``seen``: the hub's
    version that the asset's system had seen when it spoke.
    """

    canonical_id: str
    asset_id: str | None
    report: AssetReport | CostReport
    correlation_id: str | None
    has_waited: bool = False
    is_reheard: bool = False
    seen: int = 0

    @property
    def record_name(self) -> str:
        """The reported record: system/entity/native id."""
        origin = self.report.origin
        return f"{origin.system}/{origin.entity}/{origin.native_id}"


Post = Callable[[Arrival], list[Outbound] | Waits]


def arrival_of(record: Inbound, report: AssetReport | CostReport) -> Arrival:
    """An identified report as it arrived."""
    return Arrival(record.key_text, record.header("tl_asset_id"), report, record.header(CORRELATION))


class PeriodGate:
    """The held reports, and the periods they wait for."""

    def __init__(self, landscape: Landscape, clock: Clock) -> None:
        self._clock = clock
        self._max_held = landscape.fiscal.max_held
        self._default_company = landscape.fiscal.default_company
        self.periods = FiscalPeriods(landscape.fiscal)
        self.holds: Table[PeriodHold] = Table(
            "hub.period-hold.state.v1",
            PeriodHold,
            partition_by=lambda key: key.rsplit("|", 1)[0],
            on_change=self._follow,
        )
        self._places: dict[str, set[int]] = {}
        self._held_as = Index()  # cost documents: system/native id
        self._reversals = Reversals()

    def lane_of(self, arrival: Arrival) -> str:
        """What the report waits with: its asset, else the document it reverses, else only itself."""
        report = arrival.report
        if isinstance(report, AssetReport):
            return f"asset/{arrival.canonical_id}"
        system, reversed_id = report.origin.system, report.fields.reversal_of
        held = self._held_as.one_of(f"{system}/{report.origin.native_id}")
        before = self._held_as.one_of(f"{system}/{reversed_id}") if reversed_id else None
        own = f"asset/{arrival.asset_id}" if arrival.asset_id else f"cost/{arrival.canonical_id}"
        return _lane(held or before) or own

    def is_waiting(self, lane: str) -> bool:
        """Whether anything waits in the lane."""
        return lane in self._places

    def check_reversal(self, report: CostReport) -> None:
        """Raises ``Rejected`` for a document that cannot stand beside those held; not for one that is held itself."""
        if f"{report.origin.system}/{report.origin.native_id}" not in self._held_as:
            self._reversals.check(report)

    def hold(self, lane: str, arrival: Arrival, waits: Waits | None = None) -> None:
        """Keep a report at the end of its lane; one that is there already keeps its place and does not double (3).

        ``waits`` says why; without it the report follows what waits before it. Raises ``Rejected`` for a held cost
        document that comes again with other content, ``Stop`` when more wait than the landscape allows.
        """
        if self._is_held(lane, arrival):
            return
        if len(self.holds) >= self._max_held:
            raise Stop(
                f"accept: {self._max_held} documents wait; open the periods and unlock the cost centres named in "
                "hub.period-hold.state.v1, and raise fiscal.max_held in the landscape"
            )
        places = self._places.get(lane, set())
        first = min(places, default=0)
        reason = waits.reason if waits else f"waits behind {self._row(lane, first).canonical_id}"
        report = arrival.report
        row = PeriodHold(
            lane=lane,
            place=max(places, default=0) + 1,
            reason=reason,
            company=waits.company if waits else None,
            period=waits.period if waits else None,
            effective_date=waits.effective_date if waits else _effective_date(report),
            canonical_id=arrival.canonical_id,
            asset_id=arrival.asset_id,
            correlation_id=arrival.correlation_id,
            asset=report if isinstance(report, AssetReport) else None,
            cost=report if isinstance(report, CostReport) else None,
            since=self._clock(),
            seen=arrival.seen,
        )
        self.holds.put(_key(lane, row.place), row)

    def release(self, lane: str, post: Post) -> list[Outbound]:
        """Post what waits in the lane, oldest first, up to the first that must go on waiting."""
        released: list[Outbound] = []
        for place in sorted(self._places.get(lane, ())):
            row = self._row(lane, place)
            try:
                posted = post(_arrival(row))
            except Rejected as rejection:
                # It is not the arriving record that is at fault: the held one stays, and says why.
                posted = Waits(clean(str(rejection)), row.effective_date, _company_of(row), row.period)
            if isinstance(posted, Waits):
                now = {
                    "reason": posted.reason,
                    "company": posted.company,
                    "period": posted.period,
                    "effective_date": posted.effective_date,
                }
                if row.model_copy(update=now) != row:
                    self.holds.put(_key(lane, place), row.model_copy(update=now))
                break
            self.holds.delete(_key(lane, place))
            released += [_correlated(outbound, row.correlation_id) for outbound in posted]
        return released

    def move(self, source_id: str, target_id: str, moves: Callable[[PeriodHold], bool]) -> None:
        """What waits for one asset, as far as it ``moves``, now waits for another, behind what waits there (2)."""
        source, target = f"asset/{source_id}", f"asset/{target_id}"
        for place in sorted(self._places.get(source, ())):
            row = self._row(source, place)
            if not moves(row):
                continue
            update: dict[str, object] = {"lane": target, "place": max(self._places.get(target, ()), default=0) + 1}
            if row.asset is not None:
                update |= {"canonical_id": target_id, "seen": 0}  # what it had seen was the other asset's
            else:
                update["asset_id"] = target_id
            moved = row.model_copy(update=update)
            self.holds.delete(_key(source, place))
            self.holds.put(_key(target, moved.place), moved)

    def lanes_of(self, company: str) -> list[str]:
        """Lanes whose first report a period of the company would let go now, the longest waiting first."""
        heads = [(lane, self._row(lane, min(places))) for lane, places in self._places.items()]
        mine = [(row.since, lane) for lane, row in heads if self._may_go(row, company)]
        return [lane for _, lane in sorted(mine)]

    def lanes_naming(self, cost_centre: str) -> list[str]:
        """Lanes whose first report names the cost centre, the longest waiting first."""
        heads = [(lane, self._row(lane, min(places))) for lane, places in self._places.items()]
        named = [(row.since, lane) for lane, row in heads if row.asset and row.asset.fields.cost_centre == cost_centre]
        return [lane for _, lane in sorted(named)]

    def _may_go(self, row: PeriodHold, company: str) -> bool:
        """Asked of every lane at every word on a period: only what it lets go is worth a try."""
        if (row.company or self._default_company) != company:
            return False
        if self.periods.period_of(company, row.effective_date) is None:
            return True  # it was refused for another reason
        return isinstance(self.periods.decide(company, row.effective_date, "effective_date"), Posts)

    def _is_held(self, lane: str, arrival: Arrival) -> bool:
        rows = [self._row(lane, place) for place in sorted(self._places.get(lane, ()))]
        same = [row for row in rows if _arrival(row).record_name == arrival.record_name]
        if not same:
            return False
        last, report = same[-1], arrival.report
        if isinstance(report, AssetReport):
            # Only the last word counts: a record that went there and back has said something new. What it said before
            # that comes again (T02): at its release it would be outdated (Invariant 4).
            return last.asset is not None and (
                is_older(report.origin, last.asset.origin.recorded_at)
                or last.asset == report.model_copy(update={"origin": last.asset.origin})
            )
        if last.cost is None or last.cost.fields != report.fields:
            raise changed_document()
        return True

    def _row(self, lane: str, place: int) -> PeriodHold:
        row = self.holds.get(_key(lane, place))
        assert row is not None  # noqa: S101  - the index follows the table
        return row

    def _follow(self, key: str, old: PeriodHold | None, new: PeriodHold | None) -> None:
        row = new or old
        if row is None:
            return
        places = self._places.setdefault(row.lane, set())
        if new is not None:
            places.add(row.place)
        else:
            places.discard(row.place)
        if not places:
            del self._places[row.lane]
        if row.cost is not None:
            name = f"{row.cost.origin.system}/{row.cost.origin.native_id}"
            if new is not None:
                self._held_as.add(name, key)
            else:
                self._held_as.drop(name, key)
            # It is held until it is held nowhere: what moves to another lane may be read back there first.
            still = new or (row if name in self._held_as else None)
            self._reversals.follow(row.canonical_id, _document(old), _document(still))


def changed_document() -> Rejected:
    """What is said of a cost document that was settled and comes again with other content."""
    return Rejected(
        "a settled cost document was changed",
        field="fields",
        remedy="correct it by a reversal document in its system",
    )


def _key(lane: str, place: int) -> str:
    return f"{lane}|{place:09d}"


def _lane(key: str | None) -> str | None:
    return key.rsplit("|", 1)[0] if key is not None else None


def _arrival(row: PeriodHold) -> Arrival:
    report = row.asset or row.cost
    assert report is not None  # noqa: S101  - a row has one of the two
    return Arrival(row.canonical_id, row.asset_id, report, row.correlation_id, has_waited=True, seen=row.seen)


def _document(row: PeriodHold | None) -> CostState | None:
    """A held document as it would be accepted."""
    if row is None or row.cost is None:
        return None
    origin = row.cost.origin
    return CostState(
        cost_doc_id=row.canonical_id,
        version=1,
        asset_id=row.asset_id,
        origin_system=origin.system,
        origin_native_id=origin.native_id,
        fields=row.cost.fields,
    )


def _company_of(row: PeriodHold) -> str | None:
    report = row.asset or row.cost
    return row.company or (report.fields.company if report else None)


def _effective_date(report: AssetReport | CostReport) -> dt.date:
    return report.fields.effective_date if isinstance(report, CostReport) else report.origin.recorded_at.date()


def _correlated(outbound: Outbound, correlation_id: str | None) -> Outbound:
    if correlation_id is None:
        return outbound
    return dataclasses.replace(outbound, headers={**outbound.headers, CORRELATION: correlation_id})
