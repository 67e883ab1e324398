"""The same figures by batch, from the beginning of the event topics: what the live view must agree with."""

from __future__ import annotations

from tieline.kernel.broker import read_to_end
from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Kafka
from tieline.kernel.model import AssetEvent, CostEvent
from tieline.kernel.records import Inbound
from tieline.views.costs import ASSET_EVENTS, COST_EVENTS, AssetEntry, Costs, asset_entry, cost_entry


def recompute(kafka: Kafka, codec: Codec) -> Costs:
    """Every cost up to now. Blocks until both topics are read; raises ``Stop`` when the broker stalls."""
    costs = Costs()
    assets: dict[str, AssetEntry] = {}

    def take(record: Inbound) -> None:
        if record.value is None:
            return
        try:
            body = codec.decode(record.topic, record.value).body
        except Rejected:
            return  # the live view leaves it out as well, and counts it
        if isinstance(body, CostEvent):
            costs.put_document(body.cost_doc_id, cost_entry(body))
        elif isinstance(body, AssetEvent):
            assets[body.asset_id] = asset_entry(body, assets.get(body.asset_id))

    read_to_end(kafka, [COST_EVENTS, ASSET_EVENTS], take)
    costs.replace_assets(assets)
    return costs
