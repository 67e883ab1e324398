"""Card statements as text to numbered lines. Pure; a file is read whole or refused whole.

A line has no id of its own. Its identity is what the file calls it and the how-manieth of that name it is, counted over
all statements (T01): a repeated reference, or two equal purchases on one day, stay two documents. Without a reference
the name is a hash of day, merchant and amount.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tieline.kernel.errors import Rejected

MAX_FILE_BYTES = 64_000_000
MAX_FIELD_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of a header holds what; None where the layout has no such column."""

    name: str
    header: tuple[str, ...]
    date: str
    amount: str
    merchant: str
    reference: str | None = None
    details: tuple[str, ...] = ()


LAYOUTS = (
    Layout(
        name="with-reference",
        header=("Date", "Reference", "Value", "Merchant", "Transaction description", "Transaction description 2"),
        date="Date",
        amount="Value",
        merchant="Merchant",
        reference="Reference",
        details=("Transaction description", "Transaction description 2"),
    ),
    Layout(
        name="without-reference",
        header=("FIN.TRANSACTION DATE", "MCH.MERCHANT NAME", "FIN.TRANSACTION AMOUNT"),
        date="FIN.TRANSACTION DATE",
        amount="FIN.TRANSACTION AMOUNT",
        merchant="MCH.MERCHANT NAME",
    ),
)
LAYOUT_OF: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in LAYOUTS})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: where it stands, its layout, its values by column, and its identity."""

    file: str
    number: int
    layout: Layout
    values: Mapping[str, str]
    native_id: str = ""

    @property
    def called(self) -> str:
        """What the file calls it: its reference, or a hash of what it says."""
        reference = self.values[self.layout.reference].strip() if self.layout.reference else ""
        if reference:
            return reference
        said = "\x1f".join(self.values[column].strip() for column in self.layout.header)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def read_statement(file: str, content: bytes) -> list[Line]:
    """The lines of one statement, in order, not numbered yet.

    Raises ``Rejected`` naming file and line, for the whole file, when it is not UTF-8, has no known header, is cut off,
    or has a line of another shape: a stray quote would otherwise swallow all that follows it.
    """
    if len(content) > MAX_FILE_BYTES:
        raise _refused(file, 1, f"is longer than {MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(file, 1, "is not UTF-8") from None
    if "\x00" in text:
        raise _refused(file, 1, "has NUL characters")
    if not text.endswith("\n"):
        raise _refused(file, text.count("\n") + 1, "does not end with a line break: it may still be written")
    rows = _rows(file, text)
    header = next(rows, (1, []))[1]
    layout = next((known for known in LAYOUTS if list(known.header) == [name.strip() for name in header]), None)
    if layout is None:
        raise _refused(file, 1, f"has a header that is none of {len(LAYOUTS)} known layouts")
    lines: list[Line] = []
    for number, row in rows:
        if len(row) != len(layout.header):
            raise _refused(file, number, f"has {len(row)} values, its header has {len(layout.header)}")
        if any(len(value) > MAX_FIELD_CHARACTERS or "\n" in value or "\r" in value for value in row):
            raise _refused(file, number, "has a value over several lines, or a very long one: a stray quote")
        lines.append(Line(file, number, layout, dict(zip(layout.header, row, strict=True))))
    return lines


def number_lines(statements: Iterable[Sequence[Line]]) -> list[Line]:
    """The lines of all statements with their identities: name and ordinal, from 1."""
    seen: Counter[str] = Counter()
    numbered: list[Line] = []
    for line in (line for statement in statements for line in statement):
        seen[line.called] += 1
        native_id = f"{line.called}/{seen[line.called]}"
        numbered.append(Line(line.file, line.number, line.layout, line.values, native_id))
    return numbered


def _rows(file: str, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise _refused(file, reader.line_num, f"is not CSV: {error}") from None
        if row is None:
            return
        yield reader.line_num, row


def _refused(file: str, number: int, reason: str) -> Rejected:
    return Rejected(
        f"{file}:{number}: {reason}",
        field="statement",
        remedy="put a whole and correct statement into the folder; nothing of this one was read",
    )
