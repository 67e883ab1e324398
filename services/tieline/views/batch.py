"""The same figures by batch, from the beginning of the event topics: what the live views must agree with."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.broker import read_to_end
from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Kafka
from tieline.kernel.model import Model
from tieline.kernel.records import Inbound
from tieline.views.entries import SOURCES, Change, Entry, Figures, changes_of


class Batch:
    """The tables in memory, filled by one event after the other."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Entry]] = {table: {} for table in SOURCES}

    def take(self, body: Model) -> None:
        """Put what the event says into the tables."""
        for change in changes_of(body, lambda table, key: self._tables[table].get(key)):
            self._keep(change)

    def figures(self) -> Figures:
        """The figures of the tables as they are now."""
        figures = Figures()
        for table, entries in self._tables.items():
            figures.replace(table, entries)
        return figures

    def _keep(self, change: Change) -> None:
        self._tables[change.table][change.key] = change.entry


def figures_of(events: Iterable[Model]) -> Figures:
    """The figures of these events, in the order of each key."""
    batch = Batch()
    for body in events:
        batch.take(body)
    return batch.figures()


def recompute(kafka: Kafka, codec: Codec) -> Figures:
    """Every figure up to now. Blocks until the topics are read; raises ``Stop`` when the broker stalls."""
    batch = Batch()

    def take(record: Inbound) -> None:
        if record.value is None:
            return
        try:
            body = codec.decode(record.topic, record.value).body
        except Rejected:
            return  # the live views leave it out as well, and count it
        batch.take(body)

    read_to_end(kafka, sorted(set(SOURCES.values())), take)
    return batch.figures()
