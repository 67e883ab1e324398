"""What the log holds when a scene is over: events by report, and where letters say that their records were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.chaos.hub import ERP
from tests.scenes.stage import Stage

from tieline.kernel import dead_letters
from tieline.kernel.asset_records import AssetEvent
from tieline.kernel.letters import Letter
from tieline.kernel.records import Inbound

EVENTS = "asset.asset.event.v1"


class Where(NamedTuple):
    """Coordinates of a record."""

    topic: str
    partition: int
    offset: int


def origin_of(letter: Inbound) -> Where:
    """Where a letter says that its record was."""
    numbers = [letter.header(name) or "-1" for name in (dead_letters.PARTITION, dead_letters.OFFSET)]
    return Where(letter.header(dead_letters.TOPIC) or "", int(numbers[0]), int(numbers[1]))


def count_events(stage: Stage) -> Counter[str]:
    """Events that an asset's report has given, by its serial number."""
    counts: Counter[str] = Counter()
    for record in stage.read(EVENTS):
        body = None if record.value is None else stage.hub.codec.decode(record.topic, record.value).body
        if isinstance(body, AssetEvent) and "acquisition_cost" in body.accepted.changed_fields:
            counts[body.fields.serial_number or ""] += 1
    return counts


def events_of(stage: Stage, letters: Sequence[Letter]) -> dict[str, int]:
    """How many events the reports in these letters have given, by native id."""
    counts = count_events(stage)
    ids = [(letter.record.key or b"").decode().removeprefix(f"{ERP}/") for letter in letters]
    return {one: counts[f"P{one}"] for one in ids}
