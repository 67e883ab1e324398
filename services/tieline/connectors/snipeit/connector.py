"""Connects one Snipe-IT."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.authentication import bearer
from tieline.connectors.kit.client import open_api
from tieline.connectors.snipeit.client import ERRORS, Client
from tieline.connectors.snipeit.mapping import map_item
from tieline.connectors.snipeit.settings import read_settings
from tieline.connectors.snipeit.sink import SnipeItSink
from tieline.connectors.snipeit.source import build_source
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.protocols import Connector
from tieline.kernel.quotas import UNLIMITED, Allowance


def connect(
    system: str,
    settings: Mapping[str, object],
    *,
    clock: Clock = utc_now,
    codes: Codes = SHARED,
    allowance: Allowance = UNLIMITED,
) -> Connector:
    """The connector for ``system``; calls nothing. ``close`` gives an awaitable. Raises ``Stop`` if one is wrong."""
    checked = read_settings(system, settings)
    api = open_api(system, checked, bearer(checked.token.get_secret_value()), ERRORS, allowance=allowance, clock=clock)
    client = Client(api, checked)
    return Connector(
        source=build_source(client, clock),
        sink=SnipeItSink(client, system, codes),
        map_item=partial(map_item, checked, system, codes),
        snapshot_streams=("assets",),
        close=api.close,
        account=api.governor,
    )
