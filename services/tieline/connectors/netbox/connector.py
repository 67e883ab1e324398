"""Connects one NetBox."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.client import open_api
from tieline.connectors.netbox.client import ERRORS, Client, authentication_of
from tieline.connectors.netbox.mapping import map_item
from tieline.connectors.netbox.settings import read_settings
from tieline.connectors.netbox.sink import NetBoxSink
from tieline.connectors.netbox.source import build_source
from tieline.connectors.netbox.webhook import parse
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.protocols import Connector, Webhook
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
    authentication = authentication_of(checked.token.get_secret_value())
    api = open_api(system, checked, authentication, ERRORS, allowance=allowance, clock=clock)
    client = Client(api, checked)
    webhook = None
    if checked.webhook_port is not None and checked.webhook_secret is not None:
        webhook = Webhook(checked.webhook_path, checked.webhook_port, partial(parse, checked.webhook_secret))
    return Connector(
        source=build_source(client, clock),
        sink=NetBoxSink(client, system, codes),
        map_item=partial(map_item, checked, system, codes),
        snapshot_streams=("assets",),
        webhook=webhook,
        close=api.close,
        account=api.governor,
    )
