"""Where the canonical fields stand in a system: what a connector's ``fieldtable`` module says of it.

A connector may have a module ``fieldtable`` with two functions, from which the field pages and the catalogue are
generated: ``tables(settings)`` gives its ``FieldTables``, ``page(tables, title)`` the page about them. ``settings`` are
the landscape's, secrets left out, paths resolved. Where they have ``records``, the connector maps declared families,
and ``tables`` is given their ``shapes`` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RECORDS = "records"
"""The setting under which a connector that maps declared families is told the file of each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one canonical field stands in a system's record, by the names of its API.

    ``read`` are the fields it is made of, ``written`` those the hub sets by it; an empty tuple: it is never read, or
    never written. ``note`` says what happens in between.
    """

    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class RecordTable:
    """One canonical record in one system: what the system calls its record, and the place of each field."""

    native: str
    places: Mapping[str, Place]


FieldTables = Mapping[str, RecordTable]
"""By the canonical record's name, e.g. ``AssetFields``."""
