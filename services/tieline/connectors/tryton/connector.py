"""Tryton, connected."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tieline.connectors.kit.governor import Governor
from tieline.connectors.tryton.assets import AssetWriter
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.costs import CostWriter
from tieline.connectors.tryton.ledger import CONTROL_ACCOUNTS, LedgerContext, map_account
from tieline.connectors.tryton.mapping import SNAPSHOT_STREAMS, Context, map_item
from tieline.connectors.tryton.reference import Reference
from tieline.connectors.tryton.settings import read_settings
from tieline.connectors.tryton.sink import TrytonSink
from tieline.connectors.tryton.source import TrytonSource
from tieline.kernel.code_lists import SHARED, Codes
from tieline.kernel.protocols import Connector, ControlAccounts
from tieline.kernel.quotas import UNLIMITED, Allowance


def connect(
    system: str, settings: Mapping[str, object], *, codes: Codes = SHARED, allowance: Allowance = UNLIMITED
) -> Connector:
    """Connect ``system``; nothing is sent before the first call. Raises ``Stop`` for bad settings.

    ``close`` gives an awaitable, to be awaited in the event loop of the calls.
    """
    known = read_settings(system, settings)
    governor = Governor(system, allowance, most_concurrent=known.max_connections)
    client = TrytonClient(known, governor=governor)
    context = Context(system, known.product_codes(), known.maintenance_expense_account, codes)
    ledger = LedgerContext({account.account: account for account in known.control_accounts})
    reference = Reference(client, known, codes)
    return Connector(
        source=TrytonSource(client, known),
        sink=TrytonSink(AssetWriter(client, known, context, reference), CostWriter(client, known, context, reference)),
        map_item=partial(map_item, context),
        snapshot_streams=SNAPSHOT_STREAMS,
        close=client.close,
        account=governor,
        control_accounts=ControlAccounts(CONTROL_ACCOUNTS, partial(map_account, ledger)) if ledger.accounts else None,
    )
