"""What the sandbox remembers: one SQLite file, one connection, one commit per accepted request.

A record is a JSON document beside the few columns that are searched. Everything survives ``kill -9`` once answered.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

Document = dict[str, object]
Clock = Callable[[], dt.datetime]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS asset (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, tag TEXT UNIQUE, serial TEXT,
  external_ref TEXT UNIQUE, po_line_ref TEXT, site TEXT, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS asset_updated ON asset(updated_at, id);
CREATE INDEX IF NOT EXISTS asset_serial ON asset(serial);
CREATE INDEX IF NOT EXISTS asset_po_line ON asset(po_line_ref);
CREATE INDEX IF NOT EXISTS asset_site ON asset(site);
CREATE TABLE IF NOT EXISTS panel (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, asset_id INTEGER NOT NULL, book TEXT NOT NULL,
  doc TEXT NOT NULL, UNIQUE(asset_id, book));
CREATE INDEX IF NOT EXISTS panel_updated ON panel(updated_at, id);
CREATE TABLE IF NOT EXISTS cost_document (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, asset_id INTEGER, reversal_of INTEGER UNIQUE,
  doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS cost_document_updated ON cost_document(updated_at, id);
CREATE TABLE IF NOT EXISTS work_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, asset_id INTEGER, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_updated ON audit(updated_at, id);
CREATE TABLE IF NOT EXISTS history (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, asset_id INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS history_asset ON history(asset_id, id);
CREATE TABLE IF NOT EXISTS record (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, collection TEXT NOT NULL, external_ref TEXT,
  doc TEXT NOT NULL, UNIQUE(collection, external_ref));
CREATE INDEX IF NOT EXISTS record_updated ON record(collection, updated_at, id);
CREATE TABLE IF NOT EXISTS subscription (
  id INTEGER PRIMARY KEY AUTOINCREMENT, updated_at TEXT NOT NULL, url TEXT UNIQUE, secret TEXT NOT NULL,
  doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,
  object_id INTEGER NOT NULL, detail TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS journal_kept BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS journal_fixed BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""

# Column names reach SQL text only from here, never from a request.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "asset": ("tag", "serial", "external_ref", "po_line_ref", "site"),
    "panel": ("asset_id", "book"),
    "cost_document": ("asset_id", "reversal_of"),
    "work_order": ("asset_id",),
    "audit": (),
    "history": ("asset_id",),
    "record": ("collection", "external_ref"),
    "subscription": ("url", "secret"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One accepted change, as journal and webhooks tell it."""

    action: str
    object: str
    object_id: int


@dataclass(slots=True)
class Transaction:
    """What one request changed; ``keep`` False undoes it although the caller was told otherwise (fault drop_write)."""

    keep: bool = True
    changes: list[Change] = field(default_factory=list)


class Store:
    """The file. Not safe for concurrent use: the sandbox calls it from one event loop, never across an await."""

    def __init__(self, database: Path, clock: Clock) -> None:
        self._clock = clock
        self._db = sqlite3.connect(database, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # WAL with NORMAL survives the death of this process; only a power cut may take the last commits.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._changes: list[Change] = []

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def now(self) -> str:
        """The time as this system records it: UTC, whole seconds."""
        return self._clock().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All changes inside land together, or none does."""
        transaction = Transaction()
        self._changes = transaction.changes
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield transaction
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT" if transaction.keep else "ROLLBACK")
        if not transaction.keep:
            transaction.changes.clear()

    def next_id(self, table: str) -> int:
        """The id the next inserted record gets; ids are never used twice, also after a delete."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 1 if row is None else int(row["seq"]) + 1

    def insert(self, table: str, document: Document, extra: Mapping[str, object] | None = None) -> Document:
        """Store a new record under ``document["id"]``; ``extra`` fills columns that the document does not show."""
        values = [{**document, **(extra or {})}.get(name) for name in COLUMNS[table]]
        names = ", ".join(("id", "updated_at", "doc", *COLUMNS[table]))
        marks = ", ".join("?" * (3 + len(values)))
        self._db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608  - names come from COLUMNS
            (document["id"], document["updated_at"], json.dumps(document), *values),
        )
        return document

    def update(self, table: str, document: Document) -> Document:
        """Replace a record."""
        sets = "".join(f", {name} = ?" for name in COLUMNS[table])
        values = [document.get(name) for name in COLUMNS[table]]
        self._db.execute(
            f"UPDATE {table} SET updated_at = ?, doc = ?{sets} WHERE id = ?",  # noqa: S608  - names come from COLUMNS
            (document["updated_at"], json.dumps(document), *values, document["id"]),
        )
        return document

    def delete(self, table: str, record_id: int) -> None:
        """Remove a record for good."""
        self._db.execute(f"DELETE FROM {table} WHERE id = ?", (record_id,))  # noqa: S608  - a literal of ours

    def get(self, table: str, record_id: int) -> Document | None:
        """One record, or None."""
        row = self._db.execute(f"SELECT doc FROM {table} WHERE id = ?", (record_id,)).fetchone()  # noqa: S608  - literal
        return None if row is None else _document(row)

    def find(self, table: str, **where: object) -> list[Document]:
        """Records whose columns hold exactly these values, oldest first."""
        tests = " AND ".join(f"{name} = ?" for name in where) or "1"
        rows = self._db.execute(
            f"SELECT doc FROM {table} WHERE {tests} ORDER BY id",  # noqa: S608  - names are keyword literals of ours
            tuple(where.values()),
        )
        return [_document(row) for row in rows]

    def page(
        self, table: str, *, where: Mapping[str, str], since: str | None, after: tuple[str, int] | None, limit: int
    ) -> list[Document]:
        """The next ``limit`` records: with ``since`` by (updated_at, id), otherwise by id."""
        tests = [f"{name} = ?" for name in where]
        values: list[object] = list(where.values())
        if since is not None:
            tests.append("updated_at >= ?")
            values.append(since)
        if after is not None:
            tests.append("(updated_at, id) > (?, ?)" if since is not None else "id > ?")
            values.extend(after if since is not None else (after[1],))
        order = "updated_at, id" if since is not None else "id"
        condition = " AND ".join(tests) or "1"
        rows = self._db.execute(
            f"SELECT doc FROM {table} WHERE {condition} ORDER BY {order} LIMIT ?",  # noqa: S608  - no request text in it
            (*values, limit),
        )
        return [_document(row) for row in rows]

    def note(
        self, action: str, kind: str, record_id: int, detail: Mapping[str, object], *, told_as: str | None = None
    ) -> None:
        """Write one accepted change to the journal, which nothing can shorten or alter.

        ``told_as`` is the kind of record by which webhooks call it, where that is another one.
        """
        self._db.execute(
            "INSERT INTO journal (at, action, object, object_id, detail) VALUES (?, ?, ?, ?, ?)",
            (self.now(), action, kind, record_id, json.dumps(detail)),
        )
        self._changes.append(Change(action, told_as or kind, record_id))

    def journal(self, after: int, limit: int) -> list[Document]:
        """Accepted changes, oldest first."""
        rows = self._db.execute("SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]

    def stats(self) -> Document:
        """Counts, and sums by currency as exact decimals."""
        assets, panels, costs = self.find("asset"), self.find("panel"), self.find("cost_document")
        by_status: dict[str, int] = {}
        for asset in assets:
            by_status[str(asset["status"])] = by_status.get(str(asset["status"]), 0) + 1
        journal = self._db.execute("SELECT action, object, COUNT(*) AS n FROM journal GROUP BY object, action")
        return {
            "assets": {"count": len(assets), "by_status": by_status, "purchase_cost": _sums(assets, "purchase_cost")},
            "panels": {
                "count": len(panels),
                "book_value": _sums(panels, "book_value"),
                "accumulated": _sums(panels, "accumulated"),
            },
            "cost_documents": {"count": len(costs), "total": _sums(costs, "total")},
            "journal": {f"{row['object']}.{row['action']}": row["n"] for row in journal},
        }


def _document(row: sqlite3.Row) -> Document:
    document: Document = json.loads(row["doc"])
    return document


def _sums(documents: list[Document], name: str) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for document in documents:
        if document.get(name) is not None:
            currency = str(document["currency"])
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(document[name]))
    return {currency: format(total, "f") for currency, total in sorted(totals.items())}
