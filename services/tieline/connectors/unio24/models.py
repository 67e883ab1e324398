"""The API's shapes. A record's keys are the owner's, so a record is a mapping read through the profile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Record = Mapping[str, object]

ASSETS = "assets"
COST_DOCUMENTS = "cost-documents"
BOOKS = "books"
STREAMS = (ASSETS, COST_DOCUMENTS, BOOKS)
"""Streams that every profile maps, and that a reconciliation reads whole."""
AUDITS = "audits"
EQUIPMENT_LINKS = "equipment-links"
StreamName = Literal[
    "assets",
    "cost-documents",
    "audits",
    "equipment-links",
    "reference-cost-centre",
    "reference-location",
    "reference-employee",
    "reference-supplier",
    "reference-asset-class",
    "reference-gl-account",
]
"""Streams that are read by change: those of every profile, and those it may map beside them."""


def reference_stream(family: str) -> str:
    """The stream of a family of reference records."""
    return f"reference-{family}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A trustworthy answer: its status, its JSON document (None without a body), and the system's time (UTC)."""

    status: int
    document: object
    made_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, in the system's order, made at this time by the system's clock.

    ``next_token`` leads to the next page; None: this was the last.
    """

    records: Sequence[Record]
    next_token: str | None
    made_at: dt.datetime
