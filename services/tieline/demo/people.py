"""The two people of the demo: an accountant at the ERP and a facility manager at asset management."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tieline.connectors.tryton import demo as tryton_user
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.demo import Bought
from tieline.connectors.tryton.demo_purchasing import receive_goods
from tieline.connectors.tryton.settings import TrytonSettings
from tieline.connectors.tryton.settings import read_settings as read_tryton
from tieline.connectors.unio24.demo import Unio24User
from tieline.connectors.unio24.settings import read_settings as read_unio24
from tieline.kernel.errors import Stop
from tieline.kernel.landscape import Landscape, resolve_settings

T = TypeVar("T")
Row = dict[str, Any]


class Accountant:
    """Works in Tryton through its API. Every method blocks until Tryton has answered; errors are the client's."""

    def __init__(self, settings: TrytonSettings) -> None:
        self._settings = settings
        self._runner = asyncio.Runner()
        self._client = TrytonClient(settings)

    def close(self) -> None:
        """Sign out."""
        self._run(self._client.close())
        self._runner.close()

    def assets(self, *, comment_line: str | None = None) -> list[Row]:
        """Fixed assets: id, number, state, comment; only those whose comment has this line."""
        domain = [] if comment_line is None else [("comment", "ilike", f"%{comment_line}%")]
        fields = ["number", "state", "comment"]
        rows = self._run(self._client.search_read("account.asset", domain, fields, order=[("id", "ASC")]))
        return [row for row in rows if comment_line is None or comment_line in (row["comment"] or "").splitlines()]

    def order_lines(self, mark: str) -> list[Row]:
        """Lines of purchase orders whose description begins so: id, description, state of the order."""
        fields = ["description", "purchase", "purchase.state"]
        domain = [("description", "like", f"{mark}%"), ("type", "=", "line")]
        return self._run(self._client.search_read("purchase.line", domain, fields, order=[("id", "ASC")]))

    def order(self, supplier: str, day: dt.date, lines: Sequence[Bought]) -> tuple[int, list[int]]:
        """A draft purchase order: its id and its lines' ids."""
        return self._run(tryton_user.create_order(self._client, self._settings, lines, supplier=supplier, day=day))

    def approve(self, order: int) -> None:
        """Quote and confirm a draft order."""
        self._run(tryton_user.approve_order(self._client, order))

    def confirm(self, order: int) -> None:
        """Confirm a quoted order."""
        self._run(tryton_user.confirm_order(self._client, order))

    def receive(self, order_line: int, day: dt.date) -> None:
        """Receive all that is open of an order line, on a supplier's shipment."""
        self._run(receive_goods(self._client, order_line, day=day))

    def book(
        self, asset_class: str, value: Decimal, start: dt.date, comment: str, *, purchase_line: int | None = None
    ) -> int:
        """Book and run an asset; with a purchase line, from the supplier's invoice for it."""
        return self._run(self._book(asset_class, value, start, comment, purchase_line))

    async def _book(
        self, asset_class: str, value: Decimal, start: dt.date, comment: str, purchase_line: int | None
    ) -> int:
        client = self._client
        invoice_line = None
        if purchase_line is not None:
            invoice_line = await tryton_user.invoice_line_of(client, purchase_line)
        return await tryton_user.book_asset(
            client,
            self._settings,
            asset_class=asset_class,
            value=value,
            start=start,
            comment=comment,
            supplier_invoice_line=invoice_line,
        )

    def post_depreciation(self, until: dt.date) -> None:
        """Run the month end: posts what every running asset is due up to this day."""
        self._run(tryton_user.post_depreciation(self._client, until))

    def edit_comment(self, asset: int, text: str) -> None:
        """Change an asset's comment by hand."""
        self._run(tryton_user.edit(self._client, "account.asset", asset, {"comment": text}))

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)


@dataclass(frozen=True, slots=True)
class People:
    """Who works where. ``erp`` and ``am`` are the systems' names in the landscape."""

    accountant: Accountant
    manager: Unio24User
    erp: str
    am: str


@contextmanager
def sign_in(landscape: Landscape, path: Path) -> Iterator[People]:
    """Both people, signed in at the systems of this landscape. Raises ``Stop`` when it is not the demo's."""
    erp, am = _system_of(landscape, path, "tryton"), _system_of(landscape, path, "unio24")
    tryton = read_tryton(erp, resolve_settings(landscape.systems[erp].settings, path.parent))
    unio24 = read_unio24(am, resolve_settings(landscape.systems[am].settings, path.parent))
    accountant = Accountant(tryton)
    try:
        with Unio24User(unio24.endpoint, unio24.token.get_secret_value()) as manager:
            yield People(accountant, manager, erp, am)
    finally:
        accountant.close()


def _system_of(landscape: Landscape, path: Path, connector: str) -> str:
    found = [name for name, system in landscape.systems.items() if system.connector == connector]
    if len(found) != 1:
        raise Stop(f"{path}: the demo needs exactly one system with connector: {connector}; there are {len(found)}")
    return found[0]
