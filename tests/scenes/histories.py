"""What became of the reports of assets in a scene, by the chaos run's checker."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tests.chaos.history import History, Noted, check
from tests.chaos.load import Item, asset_version
from tests.chaos.witness import _events
from tests.scenes.stage import Stage
from tests.scenes.target import Effect

from tieline.kernel.asset_records import AssetState

STATE = "asset.asset.state.v1"


def asset_faults(stage: Stage, sent: Sequence[Item], system: str | None = None) -> list[str]:
    """Reports lost, doubled or out of order on the event topic and, if one is named, at a target; each told.

    Also where the hub's state is not what its last event says: then a transaction was committed in parts.
    """
    events = _events(stage.hub, "assets")
    effects = [noted(effect) for effect in list(stage.target.journal) if effect.system == system]
    versions = [item.version for item in sent]
    history = History("assets", versions, events, effects if system else events, is_whole_state=True)
    return [f"{fault.rule}: {fault.text}" for fault in check(history)] + _torn(stage, events)


def noted(effect: Effect) -> Noted:
    """An effect as the checker has it."""
    return Noted(asset_version(Decimal(effect.text)), effect.ref)


def _torn(stage: Stage, events: Sequence[Noted]) -> list[str]:
    last = {event.canonical_id: event.version for event in events}
    held: dict[str, object] = {}
    for record in stage.read(STATE):
        body = None if record.value is None else stage.hub.codec.decode(record.topic, record.value).body
        if isinstance(body, AssetState) and body.fields.acquisition_cost is not None:
            held[body.asset_id] = asset_version(body.fields.acquisition_cost.amount)
    return [
        f"torn: {asset}: the last event is of {version}, the state of {held.get(asset)}"
        for asset, version in last.items()
        if held.get(asset) != version
    ]
