"""Bad input costs one record, never the flow: a dead letter with place, reason and bytes; mended, it goes on."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import sqlite3
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import fastavro
import pytest
import yaml
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from tests.main_job.world import Row, World, eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900, func_only=True)]
TOPIC = "asset.asset.report.v1"
SUBJECT = f"{TOPIC}-tieline.AssetReport"
NO_SUCH_ID = 999_999


@pytest.fixture
def registry(world: World) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": world.estate.registry.url}) as client:
        yield client


def with_money_as(schema: Any, kind: object) -> Any:
    """The schema with every exact decimal replaced by another type."""
    match schema:
        case {"logicalType": "decimal"}:
            return kind
        case dict():
            return {key: with_money_as(item, kind) for key, item in schema.items()}
        case list():
            return [with_money_as(item, kind) for item in schema]
        case _:
            return schema


def encode(schema_id: int, schema: Any, record: object) -> bytes:
    """A record in Confluent framing."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    return struct.pack(">bI", 0, schema_id) + body.getvalue()


def bad_reports(world: World, registry: SchemaRegistryClient) -> dict[str, tuple[bytes, str]]:
    """Case to bytes and what the reason must say; made from a real report."""
    latest = registry.get_latest_version(SUBJECT)
    own_id, schema = latest.schema_id, json.loads(latest.schema.schema_str or "")
    plain = with_money_as(schema, "bytes")

    def read(value: bytes) -> Any:
        return fastavro.schemaless_reader(io.BytesIO(value[5:]), fastavro.parse_schema(plain), None)

    values = [message.value() or b"" for message in world.records(TOPIC)]
    good = next(value for value in values if read(value)["fields"]["acquisition_cost"] is not None)
    long = read(good)
    long["fields"]["acquisition_cost"]["amount"] = int("9" * 40).to_bytes(17, "big", signed=True)
    long["fields"]["asset_number"] = "LONG-1"
    floating = with_money_as(schema, "double")
    theirs = registry.register_schema("stranger-value", Schema(json.dumps(floating), "AVRO"))

    def as_float(number: float) -> bytes:
        record = read(good)
        record["fields"] |= {"acquisition_cost": {"amount": number, "currency": "EUR"}, "quantity": number}
        return encode(theirs, floating, record)

    book_id = registry.get_latest_version("asset.book.report.v1-tieline.BookReport").schema_id
    foreign = "is not registered under a subject"
    return {
        "random bytes": (bytes.fromhex("8badf00d") * 9, "not in Confluent framing"),
        "truncated": (good[: len(good) // 2], "cannot be decoded"),
        "unknown schema id": (struct.pack(">bI", 0, NO_SUCH_ID) + good[5:], f"schema id {NO_SUCH_ID} {foreign}"),
        "another subject's id": (struct.pack(">bI", 0, int(book_id or 0)) + good[5:], f"schema id {book_id} {foreign}"),
        "money of forty digits": (encode(int(own_id or 0), plain, long), "at most 16 digits before the point"),
        "money as a float": (as_float(0.1), f"schema id {theirs} {foreign}"),
        "money that is no number": (as_float(float("nan")), f"schema id {theirs} {foreign}"),
    }


def test_a_schema_with_money_as_float_is_refused_by_the_registry(registry: SchemaRegistryClient) -> None:
    text = registry.get_latest_version(SUBJECT).schema.schema_str
    floating = with_money_as(json.loads(text or ""), "double")
    with pytest.raises(SchemaRegistryError) as refusal:
        registry.register_schema(SUBJECT, Schema(json.dumps(floating), "AVRO"))
    assert refusal.value.http_status_code == 409


def test_what_a_stranger_writes_becomes_dead_letters_and_the_flow_goes_on(
    world: World, registry: SchemaRegistryClient
) -> None:
    assert world.letters() == []
    cases = bad_reports(world, registry)
    records, booked = len(world.am.find_assets()), len(world.erp.assets())
    placed = {world.produce(TOPIC, f"stranger/{name}", value): name for name, (value, _) in cases.items()}
    world.register("AFTER-1")
    world.until_booked("AFTER-1")
    eventually(lambda: len(world.letters()) == len(cases), "a dead letter for each")
    letters, buried = world.letters(), world.buried("identify")
    assert {letter["origin"]: letter["consumer"] for letter in letters} == dict.fromkeys(placed, "identify")
    for letter in letters:
        name = placed[letter["origin"]]
        value, reason = cases[name]
        assert reason in letter["reason"], name
        assert (letter["status"], letter["key"], letter["attempt"]) == ("open", f"stranger/{name}", 1)
        assert buried[letter["origin"]].value == value
        assert buried[letter["origin"]].headers["tl_reason"] == letter["reason"]
    shown = world.estate.tieline("dead-letters", "show", letters[0]["id"]).stdout
    assert cases[placed[letters[0]["origin"]]][0][:16].hex(" ") in shown
    # Nothing came of them, in either system.
    assert (len(world.am.find_assets()), len(world.erp.assets())) == (records + 1, booked + 1)
    world.estate.tieline("dead-letters", "discard", "--consumer", "identify", "--reason", "a stranger's", "--yes")
    assert world.letters() == []


def test_a_source_record_without_its_key_fields_waits_until_the_source_is_mended(world: World) -> None:
    timeless, nameless = _insert(world, "NO-TIME", "updated_at"), _insert(world, "NO-ID", "id")
    eventually(lambda: {letter["field"] for letter in world.letters()} == {"updated_at", "id"}, "their dead letters")
    world.register("AFTER-2")
    world.until_booked("AFTER-2")
    letters, buried = world.letters(), world.buried("source-unio24")
    assert {(letter["field"], letter["reason"]) for letter in letters} == {
        ("updated_at", "every record needs a modification time"),
        ("id", "every record needs an id"),
    }
    for letter in letters:
        assert letter["origin"].startswith("src.unio24.raw.v1/")
        kept = json.loads(buried[letter["origin"]].value)
        assert kept == {"updated_at": timeless, "id": nameless}[letter["field"]]
    for tag in ("NO-TIME", "NO-ID"):
        assert world.erp.with_line(f"tag: {tag}") == []
        _mend(world, tag)
        world.until_booked(tag)
        assert len(world.erp.with_line(f"tag: {tag}")) == 1
    world.estate.tieline("dead-letters", "discard", "--consumer", "source-unio24", "--reason", "mended there", "--yes")
    assert world.letters() == []


def _insert(world: World, tag: str, missing: str) -> Row:
    """A record in asset management's own database that lacks a key; what it holds."""
    document = {**world.asset("AFTER-1"), "tag": tag, "serial": f"SN-{tag}", "name": f"Thing {tag}"}
    document |= {"external_ref": None, "erp_asset_number": None, "version": 1}
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with contextlib.closing(sqlite3.connect(world.estate.unio24.database, timeout=30)) as db, db:
        number = db.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'asset'").fetchone()[0]
        document |= {"id": number, "updated_at": now, "created_at": now}
        del document[missing]
        values = (number, now, tag, document["serial"], document["site"], json.dumps(document))
        db.execute("INSERT INTO asset (id, updated_at, tag, serial, site, doc) VALUES (?, ?, ?, ?, ?, ?)", values)
    return document


def _mend(world: World, tag: str) -> None:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with contextlib.closing(sqlite3.connect(world.estate.unio24.database, timeout=30)) as db, db:
        number, text = db.execute("SELECT id, doc FROM asset WHERE tag = ?", (tag,)).fetchone()
        document = {**json.loads(text), "id": number, "updated_at": now, "version": 2}
        db.execute("UPDATE asset SET doc = ?, updated_at = ? WHERE id = ?", (json.dumps(document), now, number))


def _letters(world: World, count: int) -> bool:
    return len(world.letters()) == count


def test_a_rejected_asset_waits_with_its_followers_and_is_delivered_once_in_order(world: World) -> None:
    classes = yaml.safe_load(world.estate.landscape_path.read_text())["systems"]["tryton"]["settings"]["asset_classes"]
    place = ("systems", "tryton", "settings")
    known = {name: entry for name, entry in classes.items() if name != "FURNITURE"}
    world.edit_landscape({"asset_classes": known}, *place)
    world.estate.parts["sink-tryton"].restart()
    record = world.register("CLASS-1", category="FURNITURE")
    eventually(partial(_letters, world, 1), "the rejected asset")
    for behind, site in enumerate(("MUC-PLANT", "HAM-PORT", "BER-LAB-7"), start=2):
        world.am.move(record["id"], site)
        eventually(partial(_letters, world, behind), "its follower behind it")
    letters = world.letters()
    canonical_id = letters[0]["key"]
    assert sorted(letter["status"] for letter in letters) == ["open", "waiting", "waiting", "waiting"]
    (first,) = [letter for letter in letters if letter["status"] == "open"]
    assert (first["field"], first["consumer"]) == ("fields.asset_class", "sink-tryton")
    assert "'FURNITURE' has no product" in first["reason"]
    assert world.ask("status")[0] == 1
    world.register("AFTER-3")
    world.until_booked("AFTER-3")  # other keys go on
    assert world.erp.with_line("tag: CLASS-1") == []
    world.edit_landscape({"asset_classes": classes}, *place)
    world.estate.parts["sink-tryton"].restart()
    world.estate.tieline("dead-letters", "replay", "--key", canonical_id, "--yes")
    world.until_booked("CLASS-1")
    eventually(lambda: len(world.erp.with_line("location: BER-LAB-7")) == 1, "its last place")
    world.settle()
    assert len(world.erp.with_line("serial: SN-CLASS-1")) == 1
    versions = world.confirmed("tryton", canonical_id)
    assert len(versions) >= 4
    assert versions == sorted(set(versions))
    assert world.letters() == []
