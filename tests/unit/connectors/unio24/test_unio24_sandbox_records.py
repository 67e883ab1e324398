"""The sandbox's collections of any kind: what their API refuses, and what it keeps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.unio24.sandbox_assets import Call
from tieline.connectors.unio24.sandbox_records import (
    create_record,
    delete_record,
    get_record,
    list_records,
    patch_record,
)
from tieline.connectors.unio24.sandbox_store import Document, Store

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "sandbox.db", lambda: NOW)
    yield store
    store.close()


def call(collection: str = "orders", number: object = None, *, if_match: str | None = None, **body: object) -> Call:
    path = {"collection": collection} | ({} if number is None else {"id": str(number)})
    return Call(path, {}, body, if_match)


def create(store: Store, collection: str = "orders", **body: object) -> Document:
    answer = create_record(store, Call({"collection": collection}, {}, body))
    assert answer.status == 201
    found: Document = answer.body  # type: ignore[assignment]  # a record is an object
    return found


def test_a_record_keeps_whatever_it_is_given(store: Store) -> None:
    record = create(store, number="SO-1", lines=[{"pos": 1}])
    assert record == {
        "id": 1,
        "version": 1,
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
        "collection": "orders",
        "external_ref": None,
        "number": "SO-1",
        "lines": [{"pos": 1}],
    }
    assert get_record(store, call(number=1)).body == record


def test_a_change_counts_and_a_change_of_nothing_does_not(store: Store) -> None:
    create(store, number="SO-1")
    assert patch_record(store, call(number=1, state="done")).body == {
        **get_record(store, call(number=1)).body,  # type: ignore[dict-item]  # as above
        "version": 2,
        "state": "done",
    }
    assert patch_record(store, call(number=1, state="done")).body["version"] == 2  # type: ignore[index]  # as above


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (lambda store: create_record(store, call(external_ref="r1")), 409),
        (lambda store: patch_record(store, call(number=2, external_ref="r1")), 409),
        (lambda store: patch_record(store, call(number=1, if_match='"7"', state="done")), 412),
        (lambda store: create_record(store, call(version=3)), 422),
        (lambda store: create_record(store, call(external_ref=3)), 422),
        (lambda store: get_record(store, call("invoices", 1)), 404),
        (lambda store: get_record(store, call(number="x")), 404),
    ],
)
def test_what_cannot_be_is_refused(store: Store, refused: object, status: int) -> None:
    create(store, external_ref="r1")
    create(store)
    with pytest.raises(Refusal) as refusal:
        refused(store)  # type: ignore[operator]  # one of the calls above
    assert refusal.value.status == status


def test_a_collection_is_by_itself(store: Store) -> None:
    create(store, external_ref="r1")
    create(store, "invoices", external_ref="r1")
    found = list_records(store, Call({"collection": "invoices"}, {"external_ref": "r1"}))
    assert [record["id"] for record in found.body["items"]] == [2]  # type: ignore[index]  # a page is an object
    delete_record(store, call("invoices", 2))
    assert list_records(store, Call({"collection": "invoices"}, {})).body["items"] == []  # type: ignore[index]  # as above
