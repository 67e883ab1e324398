"""Commits whose answers come late, or whose requests do: the wire between the processes and three brokers is at fault.

delay: the broker has committed, and its answer is seconds late. hold: the connection breaks at once, and the request to
end the transaction reaches the broker seconds later, when its process may be in the next transaction already (KIP-890).
cut: the broker has committed, and nobody learns it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from tests.chaos.hub import WORKS
from tests.chaos.load import Item, last_of, outbound
from tests.chaos.proxy import END_TRANSACTION, Proxy, Spoil
from tests.scenes.figures import Result
from tests.scenes.histories import asset_faults, noted
from tests.scenes.stage import Stage, open_stage, until

PROCESSES = ("identify", "accept", "route", f"sink-{WORKS}")
WAYS = (
    ("delay", 1.0),
    ("hold", 0.3),
    ("delay", 3.0),
    ("hold", 1.0),
    ("hold", 2.0),
    ("delay", 0.3),
    ("cut", 0.0),
    ("hold", 4.0),
)
ASSETS = 120
BATCH, BATCH_SECS = 6, 0.25
STRIKE_SECS = 60.0
TORN = (
    "a held request to end one transaction reached the broker within the next one and ended it before its positions "
    "were in it; what was written by then is committed, and was done again (KIP-890: the broker tells the two apart "
    "only by the newer protocol of transactions, which librdkafka does not speak)"
)
PATIENCE_SECS = 240.0


@dataclass(slots=True)
class Load:
    """Versions of assets without end: the first of each, then newer ones in turn."""

    stage: Stage
    ended: threading.Event = field(default_factory=threading.Event)
    sent: list[Item] = field(default_factory=list)

    def run(self) -> None:
        """Send a few at a time."""
        count = 0
        while not self.ended.wait(BATCH_SECS):
            items = [Item("assets", number % ASSETS, 1 + number // ASSETS) for number in range(count, count + BATCH)]
            self.stage.write([outbound(item) for item in items], account="load")
            self.sent += items
            count += BATCH


def play(folder: Path, size: int) -> Result:
    """``size`` commits are spoilt."""
    result = Result("commits", "")
    with open_stage(folder, behind_proxy=True) as stage:
        proxy = stage.proxy
        assert proxy is not None
        stage.crew.start([*PROCESSES])
        load = Load(stage)
        thread = threading.Thread(target=load.run)
        thread.start()
        try:
            crashes = spoil_commits(stage, proxy, size)
        finally:
            load.ended.set()
            thread.join()
        until(lambda: _all_there(stage, load), "the last version of every asset is there", secs=PATIENCE_SECS)
        stage.rest(secs=PATIENCE_SECS)
        time.sleep(3.0)
        struck = Counter(spoil.name for spoil in proxy.struck)
        told = ", ".join(f"{count} {name}" for name, count in sorted(struck.items()))
        result.size = f"{struck.total()} commits ({told}) amid {len(load.sent):,} reports"
        result.note("commits spoilt", struck.total(), f"≥ {size}", holds=struck.total() >= size)
        faults = asset_faults(stage, load.sent, WORKS)
        rules = Counter(fault.partition(":")[0] for fault in faults)
        for rule in ("lost", "doubled", "reordered", "aborted", "unseen", "torn"):
            result.note(rule, rules[rule], "0", holds=rules[rule] == 0)
        result.note("processes that ended", len(crashes), "0", holds=not crashes)
        result.faults += [*faults, *crashes]
        result.meaning = TORN if rules["doubled"] or rules["torn"] else ""
        result.note("transactions given up and done again", stage.crew.repeated())
        result.note("effects at the target", f"{len(stage.target.journal):,}")
    return result


def spoil_commits(stage: Stage, proxy: Proxy, size: int) -> list[str]:
    """One spoilt commit of each process at a time, again when all have been. Says who ended by itself."""
    ways = cycle(WAYS)
    planned = 0
    crashes = []
    while planned < size:
        for name in PROCESSES:
            deed, secs = next(ways)
            proxy.plan(Spoil(deed, END_TRANSACTION, name, secs))  # type: ignore[arg-type]  # the deeds of the proxy
            planned += 1
        next(ways)  # so that every process meets every way
        deadline = time.monotonic() + STRIKE_SECS
        while len(proxy.struck) < planned:
            crashes += [f"{copy.name} ended: {copy.last_words}" for copy in stage.crew.tend()]
            assert time.monotonic() < deadline, f"only {len(proxy.struck)} of {planned} commits came"
            time.sleep(0.1)
    return crashes


def _all_there(stage: Stage, load: Load) -> bool:
    stage.crew.tend()
    return last_of(load.sent) <= {noted(effect).version for effect in list(stage.target.journal)}
