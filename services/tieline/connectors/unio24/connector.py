"""Connects one UNIO24-style system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.governor import Governor
from tieline.connectors.unio24.client import Client
from tieline.connectors.unio24.mapping import check_mapped_once
from tieline.connectors.unio24.models import STREAMS
from tieline.connectors.unio24.profile import load_profile
from tieline.connectors.unio24.records import load_records, map_any
from tieline.connectors.unio24.settings import read_settings
from tieline.connectors.unio24.sink import Unio24Sink
from tieline.connectors.unio24.source import Unio24Source
from tieline.connectors.unio24.webhook import webhook_parser
from tieline.kernel.clock import Clock, utc_now
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.families import NO_FAMILIES
from tieline.kernel.protocols import Connector, Webhook
from tieline.kernel.quotas import UNLIMITED, Allowance
from tieline.kernel.shapes import FamilyShapes, shapes_of


def connect(
    system: str,
    settings: Mapping[str, object],
    *,
    clock: Clock = utc_now,
    codes: Codes = SHARED,
    shapes: FamilyShapes | None = None,
    allowance: Allowance = UNLIMITED,
) -> Connector:
    """The connector for ``system``; reads the profile, calls nothing. ``close`` gives an awaitable.

    ``shapes`` are the landscape's declared families, of which the setting ``records`` maps some. Raises ``Stop`` naming
    each faulty setting, or each faulty line of the profile, or a field whose codes are mapped twice.
    """
    checked = read_settings(system, settings)
    profile = load_profile(checked.profile)
    families = load_records(checked.records, shapes or shapes_of(NO_FAMILIES))
    check_mapped_once(profile, codes)
    governor = Governor(system, allowance, most_concurrent=checked.max_connections, clock=clock)
    client = Client(checked, profile, clock=clock, governor=governor)
    webhook = None
    if checked.webhook_port is not None and checked.webhook_secret is not None:
        secret = checked.webhook_secret.get_secret_value()
        webhook = Webhook(checked.webhook_path, checked.webhook_port, webhook_parser(profile, secret, clock))
    return Connector(
        source=Unio24Source(client, profile, checked, families),
        sink=Unio24Sink(client, profile, system, codes, families),
        map_item=partial(map_any, profile, system, families, codes),
        snapshot_streams=STREAMS,
        webhook=webhook,
        close=client.close,
        account=governor,
    )
