"""Who an event of an asset is of, and which systems it is written to. Pure.

Route writes the commands; accept remembers what each system is sent, so that it can tell what is under way there.
"""

from __future__ import annotations

from tieline.kernel.asset_records import AssetEvent, AssetState
from tieline.kernel.landscape import Flow, Landscape
from tieline.kernel.ownership import expects_asset
from tieline.processors.vectors import HUB


def asset_flows(landscape: Landscape, event: AssetEvent) -> list[Flow]:
    """The flows that carry the event: to systems that hold the asset, and to those that should."""
    accepted = event.accepted
    flows = landscape.targets("purchase-order" if _is_ordered(event) else "asset", accepted.origin_system)
    only_links = not set(accepted.changed_fields) - {"links"}
    state = AssetState(
        asset_id=event.asset_id, version=accepted.version, fields=event.fields, said_by={}, links=event.links
    )

    def concerns(flow: Flow) -> bool:
        if flow.target in event.links:
            return not only_links
        return expects_asset(state, landscape.role_of(flow.target))

    return [flow for flow in flows if concerns(flow)]


def speaker_of(event: AssetEvent) -> str:
    """The system whose word the event is; the hub's own where no record of the asset said it.

    An order line proposes, and what an undone merge gives back was said before.
    """
    accepted = event.accepted
    is_record = event.links.get(accepted.origin_system) == accepted.origin_native_id
    return accepted.origin_system if is_record else HUB


def _is_ordered(event: AssetEvent) -> bool:
    """What an order line says travels with its order; the asset flows carry what asset records say."""
    return event.fields.po_line_ref == f"{event.accepted.origin_system}/{event.accepted.origin_native_id}"
