"""route: which system must do what about an event. Drops what came from the target itself (Invariant 8)."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Flow, Landscape
from tieline.kernel.model import (
    AssetBookChanged,
    AssetEvent,
    AssetState,
    CostEvent,
    Dispatch,
    Model,
    OrderEvent,
    PostCost,
    WriteAsset,
    WriteBook,
)
from tieline.kernel.ownership import Ownership, expects_asset
from tieline.kernel.records import Inbound, Outbound, Typed
from tieline.kernel.tables import Table
from tieline.processors.capitalise import propose_assets

ASSET_REPORTS = "asset.asset.report.v1"


class Route:
    """The handler. Stateless but for the asset state it follows."""

    def __init__(self, landscape: Landscape, ownership: Ownership) -> None:
        self._landscape = landscape
        self._ownership = ownership
        self.assets: Table[AssetState] = Table("asset.asset.state.v1", AssetState)

    def handle(self, record: Inbound, value: Typed) -> Iterable[Outbound]:
        """See ``Processor``."""
        match value.body:
            case AssetEvent() as event:
                return [self._write_asset(event, flow) for flow in self._asset_flows(event)]
            case AssetBookChanged() as event:
                return [self._write_book(event, flow) for flow in self._flows("book", event.accepted.origin_system)]
            case CostEvent() as event:
                flows = self._flows("cost-document", event.accepted.origin_system)
                return [self._post_cost(event, flow) for flow in flows]
            case OrderEvent() as event:
                return self._proposals(event)
            case _:
                raise Rejected(f"{value.name} is not an event of {record.topic}")

    def _flows(self, kind: str, source: str) -> tuple[Flow, ...]:
        return self._landscape.targets(kind, source)

    def _asset_flows(self, event: AssetEvent) -> list[Flow]:
        state = self._state_of(event)
        flows = self._flows("asset", event.accepted.origin_system)
        return [flow for flow in flows if expects_asset(state, self._landscape.role_of(flow.target))]

    def _state_of(self, event: AssetEvent) -> AssetState:
        """The asset as of this event. The followed state tells who said what; it may be a little older or newer."""
        known = self.assets.get(event.asset_id)
        said_by = dict(known.said_by) if known else {}
        if known is None or known.version < event.accepted.version:
            said_by |= dict.fromkeys(event.accepted.changed_fields, event.accepted.origin_system)
        return AssetState(
            asset_id=event.asset_id,
            version=event.accepted.version,
            fields=event.fields,
            said_by=said_by,
            links=event.links,
        )

    def _write_asset(self, event: AssetEvent, flow: Flow) -> Outbound:
        role = self._landscape.role_of(flow.target)
        writable = self._ownership.writable_fields(self._state_of(event).said_by, flow.target, role)
        body = WriteAsset(
            dispatch=_dispatch(flow, "asset", event.asset_id, event.accepted.version),
            asset_id=event.asset_id,
            native_id=event.links.get(flow.target),
            fields=event.fields,
            writable_fields=writable,
        )
        return _command(flow, event.asset_id, body)

    def _write_book(self, event: AssetBookChanged, flow: Flow) -> Outbound:
        state = self.assets.get(event.asset_id)
        body = WriteBook(
            dispatch=_dispatch(flow, "book", event.asset_id, event.accepted.version),
            asset_id=event.asset_id,
            native_id=state.links.get(flow.target) if state else None,
            fields=event.fields,
        )
        return _command(flow, event.asset_id, body)

    def _post_cost(self, event: CostEvent, flow: Flow) -> Outbound:
        state = self.assets.get(event.asset_id) if event.asset_id else None
        body = PostCost(
            dispatch=_dispatch(flow, "cost-document", event.cost_doc_id, event.accepted.version),
            cost_doc_id=event.cost_doc_id,
            asset_id=event.asset_id,
            asset_number=state.fields.asset_number if state else None,
            fields=event.fields,
        )
        return _command(flow, event.cost_doc_id, body)

    def _proposals(self, event: OrderEvent) -> list[Outbound]:
        system = event.accepted.origin_system
        if not self._flows("purchase-order", system):
            return []
        reports = propose_assets(
            system, event.fields, event.accepted.version, event.accepted.recorded_at, self._landscape.capitalisation
        )
        return [
            Outbound(ASSET_REPORTS, f"{system}/{report.origin.native_id}", Typed("AssetReport", report))
            for report in reports
        ]


def _dispatch(flow: Flow, entity: str, canonical_id: str, version: int) -> Dispatch:
    command_id = f"{flow.target}/{entity}/{canonical_id}/{version}"
    return Dispatch(command_id=command_id, target=flow.target, version=version)


def _command(flow: Flow, canonical_id: str, body: Model) -> Outbound:
    return Outbound(f"sink.{flow.target}.command.v1", canonical_id, Typed(type(body).__name__, body))
