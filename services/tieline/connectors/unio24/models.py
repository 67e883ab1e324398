"""The API's shapes. A record's keys are the owner's, so a record is a mapping read through the profile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Record = Mapping[str, object]

ASSETS = "assets"
COST_DOCUMENTS = "cost-documents"
BOOKS = "books"
STREAMS = (ASSETS, COST_DOCUMENTS, BOOKS)


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
