"""route: which system must do what about an event. Drops what came from the target itself (Invariant 8)."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.asset_records import AssetEvent, AssetMergeEvent, AssetReport, AssetState
from tieline.kernel.book_records import AssetBookChanged, BookState
from tieline.kernel.command_records import PostCost, WriteAsset, WriteBook
from tieline.kernel.cost_postings import postings_of
from tieline.kernel.cost_records import CostEvent, CostTreatment
from tieline.kernel.errors import Rejected
from tieline.kernel.family_records import FamilyEvent
from tieline.kernel.landscape import Flow, Landscape
from tieline.kernel.order_records import AcquisitionEvent, OrderEvent
from tieline.kernel.ownership import ERP, Ownership, cleared_fields
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.shapes import shapes_of
from tieline.kernel.tables import Table
from tieline.kernel.topic_names import commands_of
from tieline.kernel.vocabulary import Dispatch, Model
from tieline.processors.capitalise import propose_assets, report_acquisition
from tieline.processors.index import Index
from tieline.processors.recipients import asset_flows, speaker_of

ASSET_REPORTS = "asset.asset.report.v1"


class Route:
    """The handler. What it knows of assets and books comes from the state it follows and from the events themselves.

    Asset and book events have no common order, and a followed table may lag. So both events are remembered as they
    pass, and a book is sent to a system when the later of the two arrives: the book, or the link to the asset there.
    """

    def __init__(self, landscape: Landscape, ownership: Ownership) -> None:
        self._landscape = landscape
        self._ownership = ownership
        self.assets: Table[AssetState] = Table("asset.asset.state.v1", AssetState)
        self.books: Table[BookState] = Table("asset.book.state.v1", BookState, on_change=self._index_book)
        self._shapes = shapes_of(landscape.families)
        self._books_of = Index()  # by asset id

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        match value.body:
            case AssetEvent() as event:
                state = self._state_of(event)
                self.assets.load(event.asset_id, state)
                commands = [self._write_asset(event, state, flow) for flow in asset_flows(self._landscape, event)]
                return [*commands, *self._return(event, state), *self._books_for_new_links(event)]
            case AssetMergeEvent() | CostEvent(treatment=CostTreatment.CAPITALISE):
                # What a merge changes follows from the events beside it; what is capital is no expense, and the books
                # are the ERP's own to adjust (T31).
                return []
            case AssetBookChanged() as event:
                book = BookState(asset_id=event.asset_id, version=event.accepted.version, fields=event.fields)
                self.books.load(f"{event.asset_id}|{event.fields.book_id}", book)
                flows = self._flows("book", event.accepted.origin_system)
                return [out for flow in flows for out in self._write_book(book, flow)]
            case CostEvent() as event:
                flows = self._flows("cost-document", event.accepted.origin_system)
                return [self._post_cost(event, flow) for flow in flows]
            case FamilyEvent() as event:
                return [self._write_record(event, flow) for flow in self._flows_of(event)]
            case OrderEvent() | AcquisitionEvent() as event:
                return self._proposals(event) if isinstance(event, OrderEvent) else self._acquisition(event)
            case _:
                raise Rejected(f"{value.name} is not an event of {record.topic}")

    def _flows(self, kind: str, source: str) -> tuple[Flow, ...]:
        return self._landscape.targets(kind, source)

    def _flows_of(self, event: FamilyEvent) -> tuple[Flow, ...]:
        # Invariant 8: a flow leads from the system that said it to another one, never back.
        return self._flows(event.family.name, event.accepted.origin_system)

    def _write_record(self, event: FamilyEvent, flow: Flow) -> Outbound:
        body = self._shapes.of(event.family).command(
            dispatch=_dispatch(flow, event.family.name, event.record_id, event.accepted.version),
            record_id=event.record_id,
            native_id=event.links.get(flow.target),
            fields=event.fields,
        )
        return _command(flow, event.record_id, body)

    def _state_of(self, event: AssetEvent) -> AssetState:
        """The asset as of this event. The followed state tells who said what; it may be a little older or newer."""
        known = self.assets.get(event.asset_id)
        said_by = dict(known.said_by) if known else {}
        if known is None or known.version < event.accepted.version:
            said_by |= dict.fromkeys(event.accepted.changed_fields, speaker_of(event))
        return AssetState(
            asset_id=event.asset_id,
            version=event.accepted.version,
            fields=event.fields,
            said_by=said_by,
            links=event.links,
        )

    def _write_asset(
        self, event: AssetEvent, state: AssetState, flow: Flow, only: tuple[str, ...] | None = None
    ) -> Outbound:
        role, said_by = self._landscape.role_of(flow.target), state.said_by
        # What the target itself said it holds already; written back late it would undo what it said since (4, 8).
        said_there = {field for field, author in said_by.items() if author == flow.target}
        ownership = self._ownership.effective(event.fields.company, event.accepted.recorded_at.date())
        writable = ownership.writable_fields(said_by, flow.target, role)
        allowed = only or tuple(field for field in writable if field not in said_there)
        body = WriteAsset(
            dispatch=_dispatch(flow, "asset", event.asset_id, event.accepted.version),
            asset_id=event.asset_id,
            native_id=event.links.get(flow.target),
            fields=event.fields,
            writable_fields=allowed,
            effective_date=event.accepted.effective_date,
            cleared_fields=cleared_fields(event.fields, said_by, allowed),
        )
        return _command(flow, event.asset_id, body)

    def _return(self, event: AssetEvent, state: AssetState) -> list[Outbound]:
        """The write that puts the origin's own word back, behind the older ones on their way there."""
        origin, fields = event.accepted.origin_system, event.accepted.returned_fields
        if not fields or origin not in event.links:
            return []
        flows = (flow for source in self._landscape.systems for flow in self._flows("asset", source))
        flow = next((flow for flow in flows if flow.target == origin), None)
        return [self._write_asset(event, state, flow, only=fields)] if flow else []

    def _books_for_new_links(self, event: AssetEvent) -> list[Outbound]:
        """Books of an asset that a target has just told us it holds."""
        target = event.accepted.origin_system
        if "links" not in event.accepted.changed_fields:
            return []
        books = [self.books.get(key) for key in self._books_of.of(event.asset_id)]
        flows = [f for source in self._landscape.systems for f in self._flows("book", source) if f.target == target]
        return [out for book in books if book for flow in flows for out in self._write_book(book, flow)]

    def _write_book(self, book: BookState, flow: Flow) -> list[Outbound]:
        """The command, if the target holds the asset; if not yet, the link will bring the book."""
        state = self.assets.get(book.asset_id)
        native_id = state.links.get(flow.target) if state else None
        if native_id is None:
            return []
        body = WriteBook(
            dispatch=_dispatch(flow, "book", f"{book.asset_id}|{book.fields.book_id}", book.version),
            asset_id=book.asset_id,
            native_id=native_id,
            fields=book.fields,
        )
        return [_command(flow, book.asset_id, body)]

    def _index_book(self, key: str, _old: BookState | None, new: BookState | None) -> None:
        asset_id = key.split("|", 1)[0]
        if new is None:
            self._books_of.drop(asset_id, key)
        else:
            self._books_of.add(asset_id, key)

    def _post_cost(self, event: CostEvent, flow: Flow) -> Outbound:
        state = self.assets.get(event.asset_id) if event.asset_id and not event.shares else None
        body = PostCost(
            dispatch=_dispatch(flow, "cost-document", event.cost_doc_id, event.accepted.version),
            cost_doc_id=event.cost_doc_id,
            asset_id=event.asset_id,
            asset_number=self._number_at(flow.target, state),
            fields=event.fields,
            posting_date=event.accepted.posting_date,
            postings=postings_of(event.fields),
        )
        return _command(flow, event.cost_doc_id, body)

    def _number_at(self, target: str, state: AssetState | None) -> str | None:
        """The target's own number of the asset; another ERP's number means nothing there."""
        if state is None:
            return None
        author = self._landscape.systems.get(state.said_by.get("asset_number", target))
        foreign = author is not None and author.role == ERP and author is not self._landscape.systems[target]
        return None if foreign else state.fields.asset_number

    def _proposals(self, event: OrderEvent) -> list[Outbound]:
        system = event.accepted.origin_system
        if not self._flows("purchase-order", system):
            return []
        return [_asset_report(report) for report in propose_assets(event, self._landscape.capitalisation)]

    def _acquisition(self, event: AcquisitionEvent) -> list[Outbound]:
        """The asset record's cost and date as receipts and invoices have them, by the same way as the order's price."""
        system = event.po_line_ref.split("/", 1)[0]
        return [_asset_report(report_acquisition(system, event))] if self._flows("purchase-order", system) else []


def _asset_report(report: AssetReport) -> Outbound:
    key = f"{report.origin.system}/{report.origin.native_id}"
    return Outbound(ASSET_REPORTS, key, Typed("AssetReport", report))


def _dispatch(flow: Flow, entity: str, canonical_id: str, version: int) -> Dispatch:
    command_id = f"{flow.target}/{entity}/{canonical_id}/{version}"
    return Dispatch(command_id=command_id, target=flow.target, version=version)


def _command(flow: Flow, canonical_id: str, body: Model) -> Outbound:
    return Outbound(commands_of(flow.target), canonical_id, Typed(type(body).__name__, body))
