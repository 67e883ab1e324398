"""The same figures by batch, from the beginning of the topics: what the live views must agree with."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.kernel.broker import read_to_end
from tieline.kernel.codecs import Codec
from tieline.kernel.errors import Rejected
from tieline.kernel.landscape import Landscape
from tieline.kernel.records import Inbound
from tieline.kernel.vocabulary import Model
from tieline.views.completeness import Completeness
from tieline.views.entries import Change, Entry, Figures, changes_of, sources_of, topics_of
from tieline.views.flows import FlowName, flows_of


class Batch:
    """The tables in memory, filled by one record after the other."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Entry]] = {}

    def take(self, body: Model, written_ms: int = 0, name: str | None = None) -> None:
        """Put what the record says into the tables; ``written_ms`` is the log's time of it, milliseconds UTC.

        ``name`` is the record's where several share a shape; else that of the body's type.
        """
        name = name or type(body).__name__
        for change in changes_of(name, body, written_ms, lambda table, key: self._tables.get(table, {}).get(key)):
            self._tables.setdefault(change.table, {})[change.key] = change.entry

    def figures(self, flows: tuple[FlowName, ...] = ()) -> Figures:
        """The figures of the tables as they are now; ``flows`` are those of the landscape."""
        figures = Figures(completeness=Completeness(flows))
        for table, entries in self._tables.items():
            for key, entry in entries.items():
                figures.put(Change(table, key, entry))
        return figures


def figures_of(events: Iterable[Model]) -> Figures:
    """The figures of these events, in the order of each key."""
    batch = Batch()
    for body in events:
        batch.take(body)
    return batch.figures()


def recompute(landscape: Landscape, codec: Codec) -> Figures:
    """Every figure up to now. Blocks until the topics are read; raises ``Stop`` when the broker stalls."""
    batch = Batch()

    def take(record: Inbound) -> None:
        if record.value is None:
            return
        try:
            value = codec.decode(record.topic, record.value)
        except Rejected:
            return  # the live views leave it out as well, and count it
        batch.take(value.body, record.timestamp_ms, value.name)

    read_to_end(landscape.kafka, topics_of(sources_of(landscape.systems)), take)
    return batch.figures(flows_of(landscape))
