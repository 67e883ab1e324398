"""Connects one Example system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.authoring.example.client import Client
from tieline.authoring.example.mapping import STREAM, map_item
from tieline.authoring.example.settings import read_settings
from tieline.authoring.example.sink import Sink
from tieline.authoring.example.source import Source
from tieline.connectors.kit.governor import Governor
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.protocols import Connector
from tieline.kernel.quotas import UNLIMITED, Allowance


def connect(
    system: str, settings: Mapping[str, object], *, clock: Clock = utc_now, allowance: Allowance = UNLIMITED
) -> Connector:
    """The connector for ``system``; calls nothing. Raises ``Stop`` for faulty settings."""
    checked = read_settings(system, settings)
    governor = Governor(system, allowance, most_concurrent=checked.max_connections, clock=clock)
    client = Client(checked, governor, clock)
    return Connector(
        source=Source(client, checked),
        sink=Sink(client, system),
        map_item=partial(map_item, system),
        snapshot_streams=(STREAM,),
        close=client.close,
        account=governor,
    )
