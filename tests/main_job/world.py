"""What the main job's tests see and touch: both systems through their own APIs, Kafka as a stranger, the command line.

Nothing here asks the product whether two systems agree: the tests compare what the systems themselves answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import yaml
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from tests.parts.estate import Estate
from tests.parts.estate import eventually as come_about
from tests.parts.tryton import TrytonPart
from tests.parts.unio24 import TOKEN, Unio24Part

from tieline.connectors.tryton import demo as tryton_user
from tieline.connectors.tryton.client import TrytonClient
from tieline.connectors.unio24.demo import Unio24User
from tieline.demo.watching import watching

Row = dict[str, Any]
DAY = dt.date(2026, 4, 10)  # after everything that the seed did
PATIENCE_SECS = 240.0  # a busy machine is slow, not wrong
ASSET_FIELDS = (
    *("number", "state", "comment", "value", "depreciated_amount", "residual_value", "start_date", "end_date"),
    *("product.code", "move.date", "supplier_invoice_line.origin"),
    *("lines.date", "lines.depreciation", "lines.accumulated_depreciation", "lines.actual_value", "lines.move.state"),
)


class Erp:
    """Tryton by JSON-RPC: reads, and what an accountant does by hand. Every call blocks."""

    def __init__(self, part: TrytonPart) -> None:
        self._settings = part.known_settings()
        self._client = TrytonClient(self._settings)
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def rows(self, model: str, domain: Sequence[object], *fields: str) -> list[Row]:
        """Records as Tryton answers them, by id."""
        return self._runner.run(self._client.search_read(model, domain, fields, order=[("id", "ASC")]))

    def call(self, method: str, *params: object, **context: Any) -> Any:
        """Do something by hand."""
        return self._runner.run(self._client.write(method, *params, **context))

    def assets(self) -> list[Row]:
        """Every fixed asset with its schedule."""
        return self.rows("account.asset", [], *ASSET_FIELDS)

    def with_line(self, line: str) -> list[Row]:
        """Fixed assets whose comment has this line."""
        return [row for row in self.assets() if line in (row["comment"] or "").splitlines()]

    def postings(self) -> list[Row]:
        """Every account move of the maintenance journal."""
        fields = (
            *("state", "date", "description", "lines.debit", "lines.credit", "lines.account.code"),
            *("lines.analytic_lines.account.code", "lines.analytic_lines.debit", "lines.analytic_lines.credit"),
        )
        return self.rows("account.move", [("journal.code", "=", "MAINT")], *fields)

    def count(self) -> Mapping[str, int]:
        """Number of records of every kind that the hub or the seed makes."""
        models = ("account.asset", "account.asset.line", "account.move", "account.move.line", "purchase.purchase")
        return {model: len(self.rows(model, [], "id")) for model in models}

    def book(self, asset_class: str, value: Decimal, comment: str, *, start: dt.date = DAY) -> int:
        """Book and run an asset, as an accountant does."""
        made = tryton_user.book_asset(
            self._client, self._settings, asset_class=asset_class, value=value, start=start, comment=comment
        )
        return self._runner.run(made)

    def recalculate(self, row: Row, end: dt.date) -> None:
        """Tryton's own wizard for a running asset: another end of life, the unposted part of the schedule made anew."""
        wizard, asset = "wizard.account.asset.update", row["id"]
        place = {"active_model": "account.asset", "active_id": asset, "active_ids": [asset]}
        session, _, _ = self.call(f"{wizard}.create")
        values = {"value": amount(row["value"]), "residual_value": amount(row["residual_value"]), "end_date": end}
        self.call(f"{wizard}.execute", session, {"start": {**values, "asset": asset}}, "update_asset", **place)
        self.call(f"{wizard}.delete", session)


@dataclass(frozen=True, slots=True)
class Letter:
    """A record of a dead-letter topic, as any Kafka consumer reads it."""

    value: bytes
    headers: Mapping[str, str]

    @property
    def origin(self) -> str:
        return "/".join(self.headers[name] for name in ("tl_topic", "tl_partition", "tl_offset"))


@dataclass(frozen=True, slots=True)
class World:
    """One estate and the people at its systems."""

    estate: Estate
    erp: Erp
    am: Unio24User

    # ---- asset management ----------------------------------------------------------------------------------------

    def asset(self, tag: str) -> Row:
        """The one record with this tag in asset management."""
        (found,) = self.am.find_assets(tag=tag)
        return found

    def register(self, tag: str, **more: object) -> Row:
        """A thing in use with a cost, as a facility manager registers it: it belongs into the books."""
        fields: dict[str, object] = {
            "tag": tag,
            "serial": f"SN-{tag}",
            "site": "BER-HQ",
            "status": "in_use",
            "category": "COMPUTER",
            "company": "ACME",
            "cost_centre": "CC-100",
            "purchase_cost": "1234.56",
            "currency": "EUR",
            "purchase_date": DAY.isoformat(),
            "in_service_date": DAY.isoformat(),
        }
        return self.am.create_asset(f"Thing {tag}", **fields | more)

    def rest(self, path: str) -> Any:
        """A page of asset management's REST API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.estate.unio24.url}/api/v1/{path}"
        return httpx.get(url, headers=headers, timeout=30, trust_env=False).raise_for_status().json()

    def journal_of(self, record_id: int, kind: str = "asset") -> list[str]:
        """What was done to a record, in order, by the system's own journal."""
        return [entry["action"] for entry in self.am.journal(object=kind, object_id=record_id)]

    # ---- both ----------------------------------------------------------------------------------------------------

    def booked(self, tag: str) -> bool:
        """Whether the ERP has one running asset of this tag, and asset management shows its number and schedule."""
        found = self.erp.with_line(f"tag: {tag}")
        if not found or not found[0]["number"]:
            return False
        record = self.asset(tag)
        panels = {panel["asset_id"] for panel in self.panels()}
        return record["erp_asset_number"] == found[0]["number"] and record["id"] in panels

    def panels(self) -> list[Row]:
        """Every finance panel."""
        page = self.rest("finance?limit=200")
        assert page["next_page_token"] is None
        return list(page["items"])

    def until_booked(self, *tags: str) -> None:
        """Wait until these went all the way: to the ERP and back."""
        for tag in tags:
            eventually(partial(self.booked, tag), f"{tag} in both systems")

    def settle(self) -> None:
        """Wait until no process of the hub has a record left to read."""
        with watching(self.estate.hub, "unio24", "tryton", timeout_secs=PATIENCE_SECS, say=print) as watcher:
            watcher.until_idle()

    # ---- the command line ----------------------------------------------------------------------------------------

    def ask(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and the JSON that a command printed."""
        done = self.estate.tieline(*arguments, "--json", check=False)
        try:
            return done.returncode, json.loads(done.stdout, parse_float=Decimal)
        except ValueError:
            raise AssertionError(
                f"tieline {' '.join(arguments)} exited {done.returncode}: {done.stdout}\n{done.stderr}"
            ) from None

    def letters(self, *arguments: str) -> list[Row]:
        """Dead letters that wait for a decision."""
        code, found = self.ask("dead-letters", "list", *arguments)
        assert code == 0
        return list(found)

    def edit_landscape(self, change: Mapping[str, object], *keys: str) -> None:
        """Add entries to a mapping of the landscape's file."""
        document = yaml.safe_load(self.estate.landscape_path.read_text(encoding="utf-8"))
        node = document
        for key in keys:
            node = node[key]
        node |= change
        self.estate.landscape_path.write_text(yaml.safe_dump(document), encoding="utf-8")

    # ---- Kafka, as a stranger ------------------------------------------------------------------------------------

    def produce(self, topic: str, key: str, value: bytes, headers: Mapping[str, str] | None = None) -> str:
        """Write one record; ``topic/partition/offset``."""
        places: list[str] = []

        def landed(error: object, message: Message) -> None:
            assert error is None
            places.append(f"{message.topic()}/{message.partition()}/{message.offset()}")

        producer = Producer({"bootstrap.servers": self.estate.kafka.bootstrap, "enable.idempotence": True})
        producer.produce(topic, value, key, headers=list((headers or {}).items()), on_delivery=landed)
        assert producer.flush(20) == 0
        return places[0]

    def records(self, topic: str) -> Iterator[Message]:
        """Every committed record of a topic, partition by partition."""
        settings = {"bootstrap.servers": self.estate.kafka.bootstrap, "group.id": f"stranger-{uuid.uuid4()}"}
        settings |= {"isolation.level": "read_committed", "enable.auto.commit": "false"}
        consumer = Consumer({**settings, "enable.partition.eof": True})
        try:
            partitions = list(consumer.list_topics(topic, 10).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            ended: set[int | None] = set()
            while len(ended) < len(partitions):
                message = consumer.poll(10)
                assert message is not None, f"{topic} did not answer"
                if message.error() is None:
                    yield message
                else:
                    ended.add(message.partition())
        finally:
            consumer.close()

    def buried(self, consumer: str) -> dict[str, Letter]:
        """Records of a dead-letter topic by the coordinates they say they came from."""
        found: dict[str, Letter] = {}
        for message in self.records(f"hub.{consumer}.dead-letter.v1"):
            pairs: Any = message.headers() or []
            headers = {name: value.decode() for name, value in pairs}
            letter = Letter(message.value() or b"", headers)
            found[letter.origin] = letter
        return found

    def confirmed(self, system: str, canonical_id: str) -> list[int]:
        """Versions that a system confirmed of one thing, in the order of the log; read by a stock deserialiser."""
        topic = f"sink.{system}.result.v1"
        versions: list[int] = []
        with SchemaRegistryClient({"url": self.estate.registry.url}) as registry:
            read = AvroDeserializer(registry)
            for message in self.records(topic):
                body = read(message.value(), SerializationContext(topic, MessageField.VALUE))
                told = (body["canonical_id"], body["entity"], body["outcome"])
                if told == (canonical_id, "asset", "CONFIRMED"):
                    versions.append(body["version"])
        return versions


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds; fails with ``what`` if it does not."""
    come_about(condition, what, timeout_secs=PATIENCE_SECS)


def amount(value: Mapping[str, Any] | str | None) -> Decimal:
    """An exact amount: Tryton sends an object that names its class, asset management text."""
    assert value is not None
    return Decimal(value if isinstance(value, str) else value["decimal"])


def day(value: Mapping[str, Any] | None) -> str | None:
    """A date of Tryton's in ISO form."""
    return None if value is None else dt.date(value["year"], value["month"], value["day"]).isoformat()


def notes(row: Row) -> dict[str, str]:
    """The ``key: value`` lines of an asset's comment."""
    pairs = (line.split(": ", 1) for line in (row["comment"] or "").splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


ScheduleRow = tuple[str, Decimal, Decimal, Decimal, bool]


def erp_schedule(row: Row) -> list[ScheduleRow]:
    """A fixed asset's schedule: date, depreciation, accumulated, net book value, posted."""
    return sorted(
        (
            day(line["date"]) or "",
            amount(line["depreciation"]),
            amount(line["accumulated_depreciation"]),
            amount(line["actual_value"]),
            bool(line["move."]) and line["move."]["state"] == "posted",
        )
        for line in row["lines."]
    )


def am_schedule(panel: Row) -> list[ScheduleRow]:
    """The same of a finance panel."""
    return [
        (
            line["date"],
            amount(line["depreciation"]),
            amount(line["accumulated"]),
            amount(line["book_value"]),
            line["posted"],
        )
        for line in panel["lines"]
    ]


@contextlib.contextmanager
def faults(world: World, *rules: Mapping[str, object]) -> Iterator[None]:
    """Let asset management fail so; every rule must have struck before the end."""
    world.am.set_faults(*rules)
    try:
        yield
        idle = [rule for rule in world.am.faults() if not rule["hits"]]
        assert not idle, f"never struck: {idle}"
    finally:
        world.am.clear_faults()


@contextlib.contextmanager
def open_world(estate: Estate) -> Iterator[World]:
    """People at the systems of a running estate."""
    part: Unio24Part = estate.unio24
    erp = Erp(estate.tryton)
    try:
        with part.user() as manager:
            yield World(estate, erp, manager)
    finally:
        erp.close()
