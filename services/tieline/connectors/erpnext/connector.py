"""Connects one ERPNext site."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.erpnext.client import ERRORS, Client
from tieline.connectors.erpnext.mapping import ASSETS, ORDERS, map_item
from tieline.connectors.erpnext.settings import read_settings
from tieline.connectors.erpnext.sink import ErpNextSink
from tieline.connectors.erpnext.source import build_source
from tieline.connectors.erpnext.webhook import webhook_parser
from tieline.connectors.kit.authentication import header
from tieline.connectors.kit.client import open_api
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
    token = f"token {checked.api_key.get_secret_value()}:{checked.api_secret.get_secret_value()}"
    api = open_api(system, checked, header("Authorization", token), ERRORS, allowance=allowance, clock=clock)
    client = Client(api, checked)
    webhook = None
    if checked.webhook_port is not None and checked.webhook_secret is not None:
        parse = webhook_parser(checked.webhook_secret.get_secret_value())
        webhook = Webhook(checked.webhook_path, checked.webhook_port, parse)
    return Connector(
        source=build_source(client, clock),
        sink=ErpNextSink(client, system, codes, clock=clock),
        map_item=partial(map_item, checked, system, codes),
        snapshot_streams=(ASSETS, ORDERS),
        webhook=webhook,
        close=api.close,
        account=api.governor,
    )
