"""``python -m tests.chaos --events 1000 --kills 40 --seed 1``: long runs, in parts, and the page about them.

Each part is a run of its own (cluster, hub, targets, seed), and leaves its figures in the state folder beside the page;
what is there is not run again: the same command goes on where it was ended. The page is written anew after each part.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
from tests.chaos.breaking import load_broken, try_broken
from tests.chaos.page import Setting, write_page
from tests.chaos.result import Result, Trial
from tests.chaos.run import Size, run_once

from tieline.stack.parts import start_registry

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reports" / "chaos.md"
STATE = PAGE.with_suffix("")
PART_EVENTS = 5_000
"""So many events, or fewer, make a part: some minutes."""


def main() -> int:
    """Run what is missing. Exit code 1 if a checker found a fault in any part."""
    given = _arguments()
    # What was started is ended also when this is ended from outside; parts that were finished are kept.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    if given.broken:
        return _try_broken(given)
    parts = -(-given.events // PART_EVENTS)
    folder = given.state / f"{given.events}-{given.kills}-{given.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for part in [given.part] if given.part else range(1, parts + 1):
        file = folder / f"{part:03}.json"
        if not file.is_file():
            result = _run(_size(given.events, given.kills, part, parts), 1000 * given.seed + part)
            file.write_text(result.to_json(), encoding="utf-8")
            say(
                f"part {part} of {parts}: {result.events} events, {sum(result.kills.values())} kills, "
                f"{len(result.faults)} faults, {result.wall_secs:.0f} s"
            )
        _write_page(given, folder, parts)
    return int(any(result.faults for result in _write_page(given, folder, parts)))


def _write_page(given: argparse.Namespace, folder: Path, parts: int) -> list[Result]:
    """The page, from all parts that are there."""
    results = [Result.from_json(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    trials = [Trial.from_json(file.read_text(encoding="utf-8")) for file in sorted(_trials(given).glob("*.json"))]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(write_page(_setting(given, parts), results, trials), encoding="utf-8")
    return results


def _try_broken(given: argparse.Namespace) -> int:
    """Run broken products. Exit code 1 if the checker finds nothing wrong with one; the page shows them later."""
    known = load_broken()
    if given.broken not in (*known, "all"):
        say(f"there is no broken product {given.broken!r}; there are: all, {', '.join(known)}")
        return 2
    folder = _trials(given)
    folder.mkdir(parents=True, exist_ok=True)
    missed = 0
    with tempfile.TemporaryDirectory() as registry_folder, start_registry(Path(registry_folder)) as registry:
        for broken in known.values() if given.broken == "all" else [known[given.broken]]:
            trial = try_broken(broken, registry.url, given.seed)
            (folder / f"{broken.name}.json").write_text(trial.to_json(), encoding="utf-8")
            missed += not trial.is_caught
            verdict = "caught" if trial.is_caught else "MISSED"
            say(f"{verdict}: {trial.name} ({trial.breaks}): {dict(trial.found)}; {trial.example}")
    return min(missed, 1)


def _trials(given: argparse.Namespace) -> Path:
    return Path(given.state) / "broken"


def _size(events: int, kills: int, part: int, parts: int) -> Size:
    """A part's share of everything; what is left over goes to the first parts."""
    own = kills // parts + (part <= kills % parts)
    few = max(own // 10, 1)
    return Size(
        events=events // parts + (part <= events % parts),
        kills=own,
        freezes=few,
        bounces=few,
        spoils=3 * few,
        storms=few,
        usurpers=few,
    )


def _run(size: Size, seed: int) -> Result:
    folder = Path(tempfile.mkdtemp(prefix="tieline-chaos-"))
    with start_registry(folder / "registry") as registry:
        result = run_once(folder / "run", registry.url, size, seed)
    if result.faults:
        say(f"what the processes logged is in {folder}")
    else:
        shutil.rmtree(folder)
    return result


def _setting(given: argparse.Namespace, parts: int) -> Setting:
    return Setting(
        f"make chaos EVENTS={given.events} KILLS={given.kills} SEED={given.seed}",
        dt.datetime.now(dt.UTC).date().isoformat(),
        "; ".join(_machine()),
        f"Python {platform.python_version()}, librdkafka {confluent_kafka.libversion()[0]}, Apache Kafka 4.1",
        parts,
    )


def _machine() -> Iterator[str]:
    yield f"{os.cpu_count()} cores"
    if hasattr(os, "sysconf"):
        yield f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    yield f"{platform.system()} {platform.machine()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=int, default=0, help="only this part, from 1; without it all that are missing")
    parser.add_argument("--broken", default="", help="instead, a product of broken.yaml or `all`: is it caught?")
    parser.add_argument("--state", type=Path, default=STATE, help="where the parts' figures are kept")
    return parser.parse_args()


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)  # noqa: T201  - a run of minutes says where it is


if __name__ == "__main__":
    sys.exit(main())
