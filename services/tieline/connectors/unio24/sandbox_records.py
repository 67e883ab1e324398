"""The sandbox's collections: records of any kind, as systems keep them whose owners define objects of their own.

A record is any JSON object; the collection's own keys are ``id``, ``version``, ``created_at``, ``updated_at`` and
``collection``. ``external_ref`` is unique within a collection. Webhooks call a record by the name of its collection.
"""

from __future__ import annotations

from tieline.connectors.unio24.sandbox_assets import Answer, Call, list_page
from tieline.connectors.unio24.sandbox_checks import Refusal
from tieline.connectors.unio24.sandbox_store import Document, Store

_OWN = frozenset({"id", "version", "created_at", "updated_at", "collection"})


def list_records(store: Store, call: Call) -> Answer:
    """GET /records/{collection}, also by external_ref."""
    return list_page(store, call, "record", ("external_ref",), {"collection": call.path["collection"]})


def _existing(store: Store, call: Call) -> Document:
    record = store.get("record", call.number())
    if record is None or record["collection"] != call.path["collection"]:
        raise Refusal(404, "no such record")
    return record


def get_record(store: Store, call: Call) -> Answer:
    """GET /records/{collection}/{id}."""
    return Answer(200, _existing(store, call))


def create_record(store: Store, call: Call) -> Answer:
    """POST /records/{collection}; 409 with the existing id when the external_ref is taken."""
    content = _content(call)
    _refuse_taken(store, call, content, own_id=None)
    number, now = store.next_id("record"), store.now()
    record: Document = {
        "id": number,
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "collection": call.path["collection"],
        "external_ref": None,
        **content,
    }
    store.insert("record", record)
    store.note("created", "record", number, content, told_as=call.path["collection"])
    return Answer(201, record)


def patch_record(store: Store, call: Call) -> Answer:
    """PATCH /records/{collection}/{id}; with If-Match only when the version is still that one."""
    record, content = _existing(store, call), _content(call)
    if call.if_match is not None and call.if_match.strip('"') != str(record["version"]):
        raise Refusal(412, f"version is {record['version']} by now")
    changed: Document = {name: value for name, value in content.items() if record.get(name) != value}
    if not changed:
        return Answer(200, record)
    _refuse_taken(store, call, changed, own_id=record["id"])
    record |= {**changed, "version": int(str(record["version"])) + 1, "updated_at": store.now()}
    store.update("record", record)
    store.note("updated", "record", call.number(), changed, told_as=call.path["collection"])
    return Answer(200, record)


def delete_record(store: Store, call: Call) -> Answer:
    """DELETE /records/{collection}/{id}: gone for good."""
    _existing(store, call)
    store.delete("record", call.number())
    store.note("deleted", "record", call.number(), {}, told_as=call.path["collection"])
    return Answer(204, None)


def _content(call: Call) -> Document:
    for name in sorted(_OWN & set(call.body)):
        raise Refusal(422, f"{name}: is the system's own", field=name)
    reference = call.body.get("external_ref")
    if reference is not None and not isinstance(reference, str):
        raise Refusal(422, "external_ref: must be text", field="external_ref")
    return call.body


def _refuse_taken(store: Store, call: Call, content: Document, own_id: object) -> None:
    reference = content.get("external_ref")
    where = {"collection": call.path["collection"], "external_ref": reference}
    for other in store.find("record", **where) if reference is not None else []:
        if other["id"] != own_id:
            raise Refusal(409, "external_ref is taken", field="external_ref", existing_id=other["id"])
