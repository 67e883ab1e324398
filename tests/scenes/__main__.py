"""``python -m tests.scenes malformed --size 20000``: one promise of the delivery guarantee, at size, on real parts.

scenes and their sizes:
  malformed   reports, one of a hundred malformed in twelve kinds, process killers among them       (200000)
  backlog     commands that wait for a sink, on a ledger of as many assets, while more arrive       (500000)
  evictions   pauses (SIGSTOP) of sinks and processors until long after another took their place    (100)
  commits     spoilt commits: late answers, late requests, lost answers                             (100)
  storm       joins and leaves, twenty a minute                                                     (200)

Figures are kept under .tieline/scenes, and docs/reports/scenes.md is written anew from all that are there. Exit code 1
if a bound does not hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.scenes import backlog, commits, evictions, malformed, storm
from tests.scenes.figures import Result, write_page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reports" / "scenes.md"
STATE = ROOT / ".tieline" / "scenes"
SCENES: Mapping[str, tuple[Callable[[Path, int], Result], int]] = {
    "malformed": (malformed.play, 20_000),
    "backlog": (backlog.play, 50_000),
    "evictions": (evictions.play, 20),
    "commits": (commits.play, 24),
    "storm": (storm.play, 60),
}
"""What plays a scene, and the size without ``--size``: some minutes."""


def main() -> int:
    """Play what is asked for, and write the page."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # nothing that was started stays behind
    play, usual = SCENES[given.name]
    size = given.size or usual
    folder = Path(tempfile.mkdtemp(prefix="tieline-scene-"))
    began = time.monotonic()
    result = play(folder, size)
    result.wall_secs = round(time.monotonic() - began, 1)
    result.command = f"make scene NAME={given.name} SIZE={size}"
    result.machine = f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.0f}"
    result.day = dt.datetime.now(dt.UTC).date().isoformat()
    given.state.mkdir(parents=True, exist_ok=True)
    (given.state / f"{given.name}.json").write_text(result.to_json(), encoding="utf-8")
    files = [given.state / f"{name}.json" for name in SCENES]
    results = [Result.from_json(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    given.page.write_text(write_page(results), encoding="utf-8")
    for figure in result.figures:
        say(f"{'FAILS  ' if figure.holds is False else ''}{figure.name}: {figure.found}  {figure.wanted}")
    for fault in result.faults[:20]:
        say(f"fault: {fault}")
    say(f"{result.size}; {result.wall_secs:.0f} s")
    if result.is_good:
        shutil.rmtree(folder)
    else:
        say(f"what the processes logged is in {folder}")
    return int(not result.is_good)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=list(SCENES))
    parser.add_argument("--size", type=int, default=0, help="how many; without it some minutes' worth")
    parser.add_argument("--state", type=Path, default=STATE, help="where the figures are kept")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page is written")
    return parser.parse_args()


def say(text: str) -> None:
    """One line of figures."""
    print(text, flush=True)  # noqa: T201  - the figures are what this is for


if __name__ == "__main__":
    sys.exit(main())
