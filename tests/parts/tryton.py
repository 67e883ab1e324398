"""A real Tryton as a process of its own, to run against, kill, freeze and start again on the same database."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.tryton.settings import TrytonSettings, read_settings
from tieline.kernel.asset_records import AssetFields, PhysicalStatus
from tieline.kernel.command_records import PostCost, WriteAsset
from tieline.kernel.cost_records import CostFields, CostKind, CostLine
from tieline.kernel.errors import Retryable, Unavailable
from tieline.kernel.vocabulary import Dispatch, Money
from tieline.stack import erp
from tieline.stack.parts import Part
from tieline.stack.paths import StackPaths
from tieline.stack.ports import HOST, free_ports

CHECKOUT = Path(__file__).parents[2]
PASSWORD = "correct-horse-42"  # noqa: S105  - of a database that lives as long as a test
CLASSES = ("COMPUTER", "VEHICLE", "MACHINE", "FURNITURE")


class TrytonPart(Part):
    """One Tryton: its database and port stay, its process comes and goes."""

    port: int
    database = erp.DATABASE
    password = PASSWORD

    @property
    def url(self) -> str:
        """The connector's ``endpoint``."""
        return f"http://{HOST}:{self.port}"

    def settings(self, **more: object) -> dict[str, object]:
        """Settings for ``connect``."""
        return {
            "endpoint": self.url,
            "database": self.database,
            "user": "tieline",
            "password": SecretStr(self.password),
            "company": "ACME",
            "asset_classes": {code: {"product": code} for code in CLASSES},
            "due_depreciation": "post-all",
            **more,
        }

    def known_settings(self, **more: object) -> TrytonSettings:
        """The same, read."""
        return read_settings("tryton", self.settings(**more))

    @contextlib.asynccontextmanager
    async def client(self, **more: object) -> AsyncIterator[TrytonClient]:
        """A client of the API; closed with the context."""
        client = TrytonClient(self.known_settings(**more))
        try:
            yield client
        finally:
            await client.close()


def start_tryton(folder: Path) -> TrytonPart:
    """A ready Tryton with its own copy of the seeded database under ``folder``.

    The environment and the seeded database are made once for the checkout: a minute the first time, then some seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    downloads = StackPaths(CHECKOUT / ".tieline").downloads
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    port = free_ports(1)[0]
    place = erp.Erp(
        environment=downloads / "tryton",
        data=folder / "data",
        config=folder / "trytond.conf",
        log=folder / "setup.log",
        lock=CHECKOUT / "requirements" / "tryton.lock",
        setup=CHECKOUT / "deploy" / "local" / "tryton" / "setup.py",
        password_file=password,
        template=downloads / "tryton-template",
        port=port,
    )
    erp.install(place)
    erp.configure(place)
    erp.seed(place)
    part = TrytonPart(name="tryton", argv=place.argv(), log=folder / "tryton.log", is_ready=lambda: erp.is_ready(port))
    part.port = port
    part.start()
    return part


Fault = Callable[[bytes], Awaitable[bytes | None]]


class FaultyWire:
    """A proxy in front of Tryton that can lose answers. Every call is one connection, as Tryton's server has it."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._faults: list[tuple[bytes, Fault]] = []
        self.calls: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The connector's ``endpoint`` on this wire."""
        return f"http://{HOST}:{self.port}"

    def lose_answer(self, method: str) -> None:
        """The next call of this method reaches Tryton and takes effect; its answer is lost."""

        async def fault(request: bytes) -> None:
            await self.forward(request)

        self._faults.append((method.encode(), fault))

    def answer(self, method: str, head: str, body: bytes = b"") -> None:
        """The next call of this method gets this answer and never reaches Tryton."""
        text = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

        async def fault(_: bytes) -> bytes:
            return text

        self._faults.append((method.encode(), fault))

    def before(self, method: str, do: Callable[[], Awaitable[object]]) -> None:
        """Do something just before the next call of this method reaches Tryton."""

        async def fault(request: bytes) -> bytes:
            await do()
            return await self.forward(request)

        self._faults.append((method.encode(), fault))

    def count(self, method: str) -> int:
        """How many calls of this method came so far."""
        return sum(f'"{method}"'.encode() in call for call in self.calls)

    async def forward(self, request: bytes) -> bytes:
        """Tryton's own answer to a request."""
        reader, writer = await asyncio.open_connection(HOST, self._upstream)
        writer.write(request)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            request = head + await reader.readexactly(int(length.partition(b":")[2]))
            self.calls.append(request)
            fault = next((found for found in self._faults if b'"' + found[0] + b'"' in request), None)
            if fault is not None:
                self._faults.remove(fault)
                answer = await fault[1](request)
            else:
                answer = await self.forward(request)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()


def write_asset(asset_id: str | None = None, *, native_id: str | None = None, **changes: object) -> WriteAsset:
    """A command for a laptop in service; ``changes`` are fields of the asset, ``writable`` those it may change."""
    writable = changes.pop("writable", tuple(AssetFields.model_fields))
    tag = uuid.uuid4().hex[:12]
    fields: dict[str, object] = {
        "tag": f"T-{tag}",
        "serial_number": f"SN-{tag}",
        "description": "Laptop",
        "location": "HQ/2.14",
        "physical_status": PhysicalStatus.IN_SERVICE,
        "company": "ACME",
        "asset_class": "COMPUTER",
        "cost_centre": "CC-100",
        "quantity": Decimal(1),
        "acquisition_cost": Money(amount=Decimal("1234.56"), currency="EUR"),
        "acquisition_date": dt.date(2025, 1, 10),
        "in_service_date": dt.date(2025, 1, 15),
    }
    return WriteAsset(
        dispatch=dispatch(),
        asset_id=asset_id or str(uuid.uuid4()),
        native_id=native_id,
        fields=AssetFields.model_validate({**fields, **changes}),
        writable_fields=writable,  # type: ignore[arg-type]  # pydantic checks it
    )


def post_cost(cost_doc_id: str | None = None, **changes: object) -> PostCost:
    """A command for the costs of one repair; ``changes`` are fields of the document."""
    lines = (
        CostLine(line_no=1, kind=CostKind.LABOUR, description="Fix", quantity=Decimal("2.5"), amount=Decimal("100.50")),
        CostLine(line_no=2, kind=CostKind.PART, description="Fan", quantity=Decimal(2), amount=Decimal("19.98")),
    )
    number = changes.pop("asset_number", None)
    fields: dict[str, object] = {
        "work_order": "WO-7",
        "company": "ACME",
        "currency": "EUR",
        "cost_centre": "CC-200",
        "effective_date": dt.date(2025, 2, 3),
        "total": Decimal("120.48"),
        "lines": lines,
    }
    return PostCost(
        dispatch=dispatch(),
        cost_doc_id=cost_doc_id or str(uuid.uuid4()),
        asset_number=number,  # type: ignore[arg-type]  # as above
        fields=CostFields.model_validate({**fields, **changes}),
    )


def dispatch() -> Dispatch:
    """What every command says beside its content."""
    return Dispatch(command_id=str(uuid.uuid4()), target="tryton", version=1)


async def persistently(do: Callable[[], Awaitable[object]], tries: int = 20) -> object:
    """What the delivery loop does with a target that is busy: the same again, soon."""
    for _ in range(tries):
        try:
            return await do()
        except (Retryable, Unavailable):
            await asyncio.sleep(0.05)
    raise AssertionError("it never succeeded")
