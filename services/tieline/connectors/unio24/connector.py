"""Connects one UNIO24-style system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.throttling import AccountBudget
from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.mapping import check_mapped_once, map_item
from tieline.connectors.unio24.models import STREAMS
from tieline.connectors.unio24.profile import load_profile
from tieline.connectors.unio24.settings import read_settings
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.connectors.unio24.source import Unio24Source
from tieline.connectors.unio24.webhook import webhook_parser
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.protocols import Connector, Webhook


def connect(system: str, settings: Mapping[str, object], *, clock: Clock = utc_now, codes: Codes = SHARED) -> Connector:
    """The connector for ``system``; reads the profile, calls nothing. ``close`` gives an awaitable.

    Raises ``Stop`` naming each faulty setting, or each faulty line of the profile, or a field whose codes are mapped
    twice.
    """
    checked = read_settings(system, settings)
    profile = load_profile(checked.profile)
    check_mapped_once(profile, codes)
    client = Client(checked, profile, clock=clock, budget=AccountBudget(system, checked.max_connections))
    webhook = None
    if checked.webhook_port is not None and checked.webhook_secret is not None:
        secret = checked.webhook_secret.get_secret_value()
        webhook = Webhook(checked.webhook_path, checked.webhook_port, webhook_parser(profile, secret, clock))
    return Connector(
        source=Unio24Source(client, profile, checked),
        sink=Unio24Sink(client, profile, system, codes),
        map_item=partial(map_item, profile, system, codes=codes),
        snapshot_streams=STREAMS,
        webhook=webhook,
        close=client.close,
    )
