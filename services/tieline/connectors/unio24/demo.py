"""A person at the asset management system: what the seed, the demo and the tests do there, through its API.

Speaks the sandbox's own names, as its user would; the connector never uses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import httpx

PREFIX = "/api/v1"
Document = dict[str, Any]


class Unio24User:
    """Signed in at one sandbox. Every method is one request (``maintain``: a few), blocking; use it in a ``with``.

    Raises ``httpx.HTTPStatusError`` when the system refuses, ``httpx.TransportError`` when it does not answer.
    Values are theirs: amounts and quantities as decimal text, dates as ``YYYY-MM-DD``.
    """

    def __init__(self, endpoint: str, token: str, *, timeout_secs: float = 30) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=endpoint, headers=headers, timeout=timeout_secs, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Sign out."""
        self._http.close()

    def create_asset(self, name: str, **fields: object) -> Document:
        """A new asset; ``fields`` by their names: tag, serial, site, status, category, company, purchase_cost ..."""
        return self._call("POST", f"{PREFIX}/assets", {"name": name, **fields})

    def asset(self, asset_id: int) -> Document:
        """The asset as it is."""
        return self._call("GET", f"{PREFIX}/assets/{asset_id}")

    def find_assets(self, **where: str) -> list[Document]:
        """Assets by tag, serial, external_ref, po_line_ref or site; all of them without a filter."""
        return list(self._pages(f"{PREFIX}/assets", where))

    def edit(self, asset_id: int, **fields: object) -> Document:
        """Change fields by hand, also such as belong to the ERP (a foreign edit)."""
        return self._call("PATCH", f"{PREFIX}/assets/{asset_id}", fields)

    def move(self, asset_id: int, site: str, *, cost_centre: str | None = None) -> Document:
        """Put it somewhere else, for another cost centre if given."""
        return self.edit(asset_id, site=site, **({} if cost_centre is None else {"cost_centre": cost_centre}))

    def place_in_service(self, asset_id: int, on: dt.date, *, site: str | None = None) -> Document:
        """It is in use from this day."""
        place = {} if site is None else {"site": site}
        return self.edit(asset_id, status="in_use", in_service_date=on.isoformat(), **place)

    def retire(self, asset_id: int, on: dt.date, reason: str = "scrapped") -> Document:
        """It left: sold, scrapped, donated, lost or stolen."""
        return self.edit(asset_id, status="retired", retired_date=on.isoformat(), retired_reason=reason)

    def delete(self, asset_id: int) -> None:
        """Delete the record for good, as nobody should."""
        self._call("DELETE", f"{PREFIX}/assets/{asset_id}")

    def check_out(self, asset_id: int, custodian: str, *, site: str | None = None) -> Document:
        """Assign it to a person (an opaque id)."""
        body = {"custodian": custodian} | ({} if site is None else {"site": site})
        return self._call("POST", f"{PREFIX}/assets/{asset_id}/check-out", body)

    def check_in(self, asset_id: int, **fields: object) -> Document:
        """Take it back into stock; fields: site, condition."""
        return self._call("POST", f"{PREFIX}/assets/{asset_id}/check-in", fields)

    def report_condition(self, asset_id: int, condition: str, note: str | None = None) -> Document:
        """An inspection: new, good, fair, poor or broken."""
        body = {"condition": condition} | ({} if note is None else {"note": note})
        return self._call("POST", f"{PREFIX}/assets/{asset_id}/condition-reports", body)

    def history(self, asset_id: int) -> list[Document]:
        """Assignments, conditions and scans, oldest first."""
        return list(self._call("GET", f"{PREFIX}/assets/{asset_id}/history")["items"])

    def audit(self, site: str, barcodes: Sequence[str], *, mark_lost: bool = False) -> Document:
        """Count a site: scan these barcodes; what was expected and not scanned stands in ``not_found``."""
        audit = self._call("POST", f"{PREFIX}/audits", {"site": site})
        for barcode in barcodes:
            self._call("POST", f"{PREFIX}/audits/{audit['id']}/scans", {"barcode": barcode})
        return self._call("POST", f"{PREFIX}/audits/{audit['id']}/close", {"mark_lost": mark_lost})

    def maintain(
        self,
        asset_id: int,
        description: str,
        costs: Sequence[tuple[str, str, Decimal]],
        on: dt.date,
        *,
        cost_centre: str | None = None,
    ) -> Document:
        """A work order from opening to completion; costs are (labour | part | service | tool, text, amount).

        Returns the cost document it became.
        """
        order = self._call("POST", f"{PREFIX}/work-orders", {"asset_id": asset_id, "description": description})
        for kind, text, amount in costs:
            line = {"kind": kind, "description": text, "amount": format(amount, "f")}
            self._call("POST", f"{PREFIX}/work-orders/{order['id']}/lines", line)
        centre = {} if cost_centre is None else {"cost_centre": cost_centre}
        done = self._call("POST", f"{PREFIX}/work-orders/{order['id']}/complete", {"date": on.isoformat(), **centre})
        return self.cost_document(done["cost_document_id"])

    def cost_document(self, document_id: int) -> Document:
        """One cost document."""
        return self._call("GET", f"{PREFIX}/cost-documents/{document_id}")

    def reverse_costs(self, document_id: int, on: dt.date) -> Document:
        """The reversal document of a cost document."""
        return self._call("POST", f"{PREFIX}/cost-documents/{document_id}/reverse", {"date": on.isoformat()})

    def panel(self, asset_id: int, book: str = "main") -> Document:
        """The read-only finance panel of an asset."""
        return self._call("GET", f"{PREFIX}/assets/{asset_id}/finance/{book}")

    def put_panel(self, asset_id: int, panel: Mapping[str, object], book: str = "main") -> Document:
        """Tamper with the finance panel (a foreign edit)."""
        return self._call("PUT", f"{PREFIX}/assets/{asset_id}/finance/{book}", panel)

    def create_record(self, collection: str, content: Mapping[str, object]) -> Document:
        """A new record in a collection of any kind."""
        return self._call("POST", f"{PREFIX}/records/{collection}", dict(content))

    def edit_record(self, collection: str, record_id: int, **fields: object) -> Document:
        """Change a record of a collection by hand."""
        return self._call("PATCH", f"{PREFIX}/records/{collection}/{record_id}", fields)

    def records(self, collection: str) -> list[Document]:
        """Every record of a collection, oldest first."""
        return list(self._pages(f"{PREFIX}/records/{collection}", {}))

    def stats(self) -> Document:
        """Counts, and sums by currency."""
        return self._call("GET", "/_stats")

    def journal(self, **filters: object) -> list[Document]:
        """Every accepted change, oldest first; filters compare keys (action, object, object_id)."""
        entries: list[Document] = []
        while page := self._call("GET", f"/_journal?after={entries[-1]['seq'] if entries else 0}")["items"]:
            entries += page
        return [entry for entry in entries if all(entry[key] == value for key, value in filters.items())]

    def set_faults(self, *rules: Mapping[str, object]) -> None:
        """Make the system fail; see docs/sandboxes.md."""
        self._call("POST", "/_faults", [dict(rule) for rule in rules])

    def faults(self) -> list[Document]:
        """The fault rules with their hits."""
        return list(self._call("GET", "/_faults")["rules"])

    def clear_faults(self) -> None:
        """Let the system work again."""
        self._call("DELETE", "/_faults")

    def _pages(self, path: str, where: Mapping[str, str]) -> Iterator[Document]:
        token: str | None = None
        while True:
            query = {**where, "limit": "200"} | ({} if token is None else {"page_token": token})
            answer = self._http.get(path, params=query).raise_for_status().json()
            yield from answer["items"]
            token = answer["next_page_token"]
            if token is None:
                return

    def _call(self, method: str, path: str, body: object = None) -> Document:
        response = self._http.request(method, path, json=body)
        if response.is_client_error:
            # The system's own words are worth more than the bare status.
            raise httpx.HTTPStatusError(response.text[:300], request=response.request, response=response)
        response.raise_for_status()
        document: Document = response.json() if response.content else {}
        return document
