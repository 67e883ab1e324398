"""Documents as Frappe keeps them: kinds with series, links, child tables and docstatus; lists by filters; saving.

What a kind does of its own when it is saved (``sandbox_assets``) is given as hooks. Every refusal is a ``Refusal`` with
the framework's type of exception.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from uuid import UUID
from zoneinfo import ZoneInfo

from tieline.connectors.kit.sandboxing.answers import Refusal
from tieline.connectors.kit.sandboxing.faults import Age
from tieline.connectors.kit.sandboxing.journal import Effect
from tieline.connectors.kit.sandboxing.records import Change, Records
from tieline.connectors.kit.strict_json import JsonError, parse_json
from tieline.kernel.clock import Clock

Doc = dict[str, object]
REFERENCE = "custom_hub_reference"
DATA_LENGTH = 140
DRAFT, SUBMITTED, CANCELLED = 0, 1, 2
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """A DocType. ``series`` is its naming series (else ``named_by`` a field), ``tables`` its child kinds by field."""

    series: str = ""
    named_by: str = ""
    required: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    amounts: Sequence[str] = ()
    texts: Sequence[str] = ()
    unique: Sequence[str] = ()
    on_submit: Sequence[str] = ()  # fields with Allow on Submit
    tables: Mapping[str, str] = field(default_factory=dict)
    is_submittable: bool = False


KINDS: Mapping[str, Kind] = {
    "Asset": Kind(
        series="ACC-ASS-.YYYY.-",
        required=("item_code", "asset_name", "company", "location", "purchase_date"),
        links={"item_code": "Item", "company": "Company", "location": "Location", "cost_center": "Cost Center"},
        amounts=("gross_purchase_amount", "opening_accumulated_depreciation"),
        texts=("asset_name", REFERENCE),
        unique=(REFERENCE,),
        on_submit=("asset_name", REFERENCE),
        tables={"finance_books": "Asset Finance Book"},
        is_submittable=True,
    ),
    "Asset Movement": Kind(
        series="ACC-ASM-.YYYY.-",
        required=("purpose", "company", "transaction_date"),
        links={"company": "Company"},
        tables={"assets": "Asset Movement Item"},
        is_submittable=True,
    ),
    "Asset Depreciation Schedule": Kind(
        series="ACC-ADS-.YYYY.-",
        required=("asset",),
        links={"asset": "Asset"},
        tables={"depreciation_schedule": "Depreciation Schedule"},
        is_submittable=True,
    ),
    "Journal Entry": Kind(
        series="ACC-JV-.YYYY.-",
        required=("company", "posting_date"),
        links={"company": "Company"},
        unique=(REFERENCE,),
        tables={"accounts": "Journal Entry Account"},
        is_submittable=True,
    ),
    "Purchase Order": Kind(
        series="PUR-ORD-.YYYY.-",
        required=("supplier", "company", "transaction_date"),
        links={"company": "Company"},
        tables={"items": "Purchase Order Item"},
        is_submittable=True,
    ),
    "Location": Kind(named_by="location_name", required=("location_name",), links={"parent_location": "Location"}),
    "Cost Center": Kind(named_by="name", links={"company": "Company"}),
    "Company": Kind(named_by="company_name"),
    "Item": Kind(named_by="item_code"),
    "Account": Kind(named_by="name"),
    "Deleted Document": Kind(),
}
CHILDREN = {child: kind for kind, one in KINDS.items() for child in one.tables.values()}
Hook = Callable[["Store", Doc, Change], None]


@dataclass(slots=True)
class Store:
    """One site. ``hooks`` run by (kind, event): validate, on_submit, on_cancel."""

    records: Records
    clock: Clock
    zone: ZoneInfo
    hooks: Mapping[tuple[str, str], Hook]
    is_unique: bool = True
    has_doubles: bool = True  # amounts are binary fractions on their way through Python, as really
    request_id: str | None = None
    told: list[tuple[str, str]] = field(default_factory=list)  # what webhooks are due for

    # ---- reading

    def get(self, kind: str, name: object, age: Age | None = None) -> Doc | None:
        """A copy of the document with its rows, to be changed at will."""
        row = self.records.get(kind, str(name), age)
        return None if row is None else {key: _copied(value) for key, value in row.items()}

    def present(self, kind: str, name: object, age: Age | None = None) -> Doc:
        """The document; raises the refusal that it is not there."""
        found = self.get(kind, name, age)
        if found is None:
            raise refusal(404, "DoesNotExistError", f"{kind} {name} not found")
        return found

    def listed(self, kind: str, query: Mapping[str, str], age: Age | None = None) -> list[Doc]:
        """GET /api/resource/<kind>: names only unless fields are asked for, twenty unless more are."""
        if kind in CHILDREN and query.get("parent") != CHILDREN[kind]:
            raise refusal(403, "PermissionError", "Parent DocType is needed for a child table")
        if kind not in KINDS and kind not in CHILDREN:
            raise refusal(404, "DoesNotExistError", f"DocType {kind} not found")
        filters = _json(query.get("filters", "[]"))
        rows = [row for row in self._rows(kind, age) if all(_fits(row, one) for one in _filters(filters))]
        column, _, way = query.get("order_by", "modified desc").partition(" ")
        rows.sort(key=lambda row: (_collated(row.get(column)), _collated(row["name"])), reverse=way == "desc")
        start, length = int(query.get("limit_start", 0)), int(query.get("limit_page_length", 20))
        page = rows[start : start + length] if length else rows[start:]
        if "*" in _json(query.get("fields", '["name"]')):
            return [self.shown(row, with_rows=False) for row in page]
        return [{"name": row["name"]} for row in page]

    def _rows(self, kind: str, age: Age | None) -> list[Doc]:
        parent = CHILDREN.get(kind)
        if parent is None:
            return [dict(row) for row in self.records.rows(kind, age)]
        tables = [table for table, child in KINDS[parent].tables.items() if child == kind]
        found = [row.get(table) for row in self.records.rows(parent, age) for table in tables]
        return [dict(row) for rows in found if isinstance(rows, list) for row in rows]

    def shown(self, doc: Mapping[str, object], *, with_rows: bool = True) -> Doc:
        """As answers show it. A time without a fraction of a second is shown without one."""
        return {key: _shown(value) for key, value in doc.items() if with_rows or not isinstance(value, list)}

    # ---- writing

    def now(self) -> dt.datetime:
        """The site's local time, which is what it writes down."""
        return self.clock().astimezone(self.zone).replace(tzinfo=None)

    def _later(self, before: object) -> dt.datetime:
        """Now, but no two savings of one document are at the same time."""
        return self.now() if not isinstance(before, dt.datetime) else max(self.now(), before + _MICROSECOND)

    def insert(self, kind: str, body: Mapping[str, object], change: Change) -> Doc:
        """A new document, submitted at once where its docstatus says so."""
        meta = KINDS[kind]
        doc: Doc = {"owner": "hub@example.com", "creation": self.now(), "docstatus": DRAFT, "name": None, **body}
        doc["name"] = self._new_name(kind, doc)
        if self.get(kind, doc["name"]) is not None:
            raise refusal(409, "DuplicateEntryError", f"{kind} {doc['name']} already exists")
        wanted = doc["docstatus"]
        if wanted == SUBMITTED and not meta.is_submittable:
            raise refusal(417, "DocstatusTransitionError", "Cannot submit: it is not submittable")
        self._save(kind, doc, None, change, "submit" if wanted == SUBMITTED else "save")
        return self.present(kind, doc["name"])

    def update(self, kind: str, name: str, body: Mapping[str, object], change: Change) -> Doc:
        """Save with changed fields; ``modified`` in the body must be the one that is held."""
        held = self.present(kind, name)
        if "modified" in body and str(body["modified"]) != _shown(held["modified"]):
            raise refusal(
                417,
                "TimestampMismatchError",
                "Error: Document has been modified after you have opened it. Please refresh to get the latest.",
            )
        doc = {**held, **body, "name": name, "modified": held["modified"]}
        moves = (str(held["docstatus"]), str(doc["docstatus"]))
        actions = {("0", "0"): "save", ("0", "1"): "submit", ("1", "1"): "update_after_submit", ("1", "2"): "cancel"}
        action = actions.get(moves)
        if action is None:
            raise refusal(417, "DocstatusTransitionError", f"Cannot change docstatus from {moves[0]} to {moves[1]}")
        if action == "update_after_submit":
            fixed = [key for key in body if key not in ("modified", "docstatus", *KINDS[kind].on_submit)]
            fixed = [key for key in fixed if _plain(doc[key]) != _plain(held.get(key))]
            if fixed:
                raise refusal(417, "UpdateAfterSubmitError", f"Not allowed to change {fixed[0]} after submission")
        self._save(kind, doc, held, change, action)
        return self.present(kind, name)

    def delete(self, kind: str, name: str, change: Change) -> None:
        """Delete a draft. What was deleted is listed; the last number of a series is given again."""
        held = self.present(kind, name)
        if held["docstatus"] == SUBMITTED:
            raise refusal(417, "ValidationError", f"{name}: Submitted Record cannot be deleted.")
        self.records.remove(kind, name)
        prefix = self._prefix(kind)
        last = self.records.get("Series", prefix) if prefix else None
        if last is not None and name == f"{prefix}{int(str(last['current'])):05d}":
            self.records.put("Series", prefix, {"current": int(str(last["current"])) - 1})
        log = {"deleted_doctype": kind, "deleted_name": name, "creation": self.now(), "modified": self.now()}
        number = UUID(int=len(self.records.rows("Deleted Document")) + 1).hex[-10:]
        self.records.put("Deleted Document", number, {"name": number, "docstatus": 0, "restored": 0, **log})
        self.note("deleted", kind, held, change)

    def put(self, kind: str, doc: Mapping[str, object], change: Change, action: str = "updated") -> None:
        """Write columns as a server script does, by no rule; the time of saving moves."""
        self.records.put(kind, str(doc["name"]), {**doc, "modified": self._later(doc.get("modified"))})
        self.note(action, kind, doc, change)

    def note(self, action: str, kind: str, doc: Mapping[str, object], change: Change) -> None:
        """Witness it, and owe webhooks for it."""
        reference = doc.get(REFERENCE)
        told = None if reference is None else str(reference)
        change.note(Effect(action, kind, str(doc["name"]), told, self.request_id))
        self.told.append((kind, str(doc["name"])))

    def _save(self, kind: str, doc: Doc, held: Doc | None, change: Change, action: str) -> None:
        self._check(kind, doc)
        for event in ("validate",) if action in ("save", "submit") else ():
            self.hooks.get((kind, event), _nothing)(self, doc, change)
        doc["modified"] = self._later(held["modified"] if held else None)
        for table, child in KINDS[kind].tables.items():
            own = {"parent": doc["name"], "parenttype": kind, "parentfield": table, "doctype": child}
            doc[table] = [
                {"name": f"{doc['name']}-{table}-{number}", **row, **own, "idx": number}
                for number, row in enumerate(rows_of(doc, table), 1)
            ]
        self.records.put(kind, str(doc["name"]), doc)
        words = {"save": "updated" if held else "created", "cancel": "cancelled", "update_after_submit": "updated"}
        self.note(words.get(action, "submitted" if held else "created"), kind, doc, change)
        after = {"submit": "on_submit", "cancel": "on_cancel"}.get(action)
        if after is not None:
            self.hooks.get((kind, after), _nothing)(self, doc, change)

    def _check(self, kind: str, doc: Doc) -> None:
        meta = KINDS[kind]
        missing = [key for key in meta.required if not doc.get(key)]
        if missing:
            raise refusal(417, "MandatoryError", f"[{kind}, {doc['name']}]: {', '.join(missing)}")
        for key, target in meta.links.items():
            if doc.get(key) and self.records.get(target, str(doc[key])) is None:
                raise refusal(417, "LinkValidationError", f"Could not find {key}: {doc[key]}")
        for key in meta.texts:
            if len(str(doc.get(key) or "")) > DATA_LENGTH:
                raise refusal(
                    417, "CharacterLengthExceededError", f"{key} will get truncated, as max characters is 140"
                )
        for key in meta.amounts:
            doc[key] = self.amount(doc.get(key))
        for key in meta.unique if self.is_unique else ():
            rows = self.records.rows(kind) if doc.get(key) else []
            if any(row.get(key) == doc[key] and row["name"] != doc["name"] for row in rows):
                raise refusal(417, "UniqueValidationError", f"{key} must be unique")

    def amount(self, value: object) -> Decimal:
        """An amount as it is kept."""
        try:
            exact = Decimal(str(value or 0))
        except InvalidOperation:
            raise refusal(417, "ValidationError", f"{value} is not a number") from None
        return Decimal(repr(float(exact))) if self.has_doubles else exact

    def _prefix(self, kind: str) -> str:
        return KINDS[kind].series.replace(".YYYY.", str(self.now().year))

    def _new_name(self, kind: str, doc: Mapping[str, object]) -> str:
        if not self._prefix(kind):
            return str(doc.get(KINDS[kind].named_by) or doc.get("name"))
        last = self.records.get("Series", self._prefix(kind)) or {"current": 0}
        number = int(str(last["current"])) + 1
        self.records.put("Series", self._prefix(kind), {"current": number})
        return f"{self._prefix(kind)}{number:05d}"


def refusal(status: int, kind: str, reason: str) -> Refusal:
    """The framework's exception of this type."""
    return Refusal(status, reason, exc_type=kind)


def rows_of(doc: Mapping[str, object], table: str) -> list[Doc]:
    """Copies of the rows of a child table."""
    found = doc.get(table)
    return [dict(row) for row in found] if isinstance(found, list) else []


def _nothing(_store: Store, _doc: Doc, _change: Change) -> None:
    return None


def _json(text: str) -> list[object]:
    try:
        found = parse_json(text.encode(), max_bytes=100_000)
    except JsonError:
        found = None
    if not isinstance(found, list):
        raise refusal(417, "ValidationError", "fields and filters are lists")
    return found


def _filters(given: list[object]) -> list[tuple[str, str, object]]:
    found = [tuple(one[-3:]) for one in given if isinstance(one, list) and len(one) in (3, 4)]
    if len(found) != len(given):
        raise refusal(417, "ValidationError", "a filter has three or four parts")
    return found


def _fits(row: Mapping[str, object], one: tuple[str, str, object]) -> bool:
    column, operator, value = one
    held = row.get(column)
    if operator == "in":
        return isinstance(value, list) and any(_collated(held) == _collated(each) for each in value)
    left, right = _collated(held), _collated(_read(value, held))
    return {"=": left == right, "!=": left != right, ">": left > right, ">=": left >= right}[operator]


def _read(value: object, like: object) -> object:
    return dt.datetime.fromisoformat(str(value)) if isinstance(like, dt.datetime) else value


def _collated(value: object) -> str:
    """As the database compares texts: without regard to case."""
    return value.isoformat(" ", "microseconds") if isinstance(value, dt.datetime) else str(value or "").casefold()


def _shown(value: object) -> object:
    if isinstance(value, dt.datetime):
        return str(value)
    if isinstance(value, list):
        return [{key: _shown(part) for key, part in row.items()} for row in value]
    return value


def _plain(value: object) -> str:
    return str(Decimal(str(value)).normalize()) if isinstance(value, int | Decimal) else str(value or "")


def _copied(value: object) -> object:
    return [dict(row) for row in value] if isinstance(value, list) else value
