"""Mutation run: each line that keeps an invariant is taken out in turn, and at least one seed must fail without it.

``make mutants`` runs it. A mutant that survives is a rule that nothing tests, and fails the run; so does one whose
line is no longer in the code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = "60"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of the product and what stands there instead. ``breaks`` names the invariant."""

    breaks: str
    file: str
    line: str
    instead: str


MUTANTS = (
    Mutant(
        "1 position before the outcome",
        "kernel/consuming.py",
        "        self._producer.begin_transaction()\n        for record in batch:",
        "        self._producer.begin_transaction()\n"
        "        group = self._consumer.consumer_group_metadata()\n"
        "        self._producer.send_offsets_to_transaction(next_offsets(batch), group, 1.0)\n"
        "        self._producer.commit_transaction(1.0)\n"
        "        self._producer.begin_transaction()\n        for record in batch:",
    ),
    Mutant(
        "1 position before the effect",
        "kernel/delivering.py",
        "        lanes = self._sort(batch, buried)\n",
        "        lanes = self._sort(batch, buried)\n        self._transact((), batch)\n",
    ),
    Mutant(
        "1 source position apart from what was read",
        "kernel/capturing.py",
        "        producer.begin_transaction()\n        for ordinal, outbound in enumerate(outbounds):",
        "        producer.begin_transaction()\n        last = outbounds.pop()\n"
        "        self._writer.write(producer, last, None, 99)\n        producer.commit_transaction(1.0)\n"
        "        producer.begin_transaction()\n        for ordinal, outbound in enumerate(outbounds):",
    ),
    Mutant(
        "2 order per key at the target",
        "kernel/delivering.py",
        "lanes.setdefault(record.key_text, []).append",
        "lanes.setdefault(record.coordinates, []).append",
    ),
    Mutant(
        "3 one effect per version",
        "kernel/settling.py",
        "    if entry.command_id == dispatch.command_id and entry.stage is Stage.CONFIRMED:\n        return True",
        "    if entry.command_id == dispatch.command_id and entry.stage is Stage.CONFIRMED:\n        return False",
    ),
    Mutant(
        "4 an older version is passed over",
        "kernel/settling.py",
        "    return dispatch.version <= entry.applied_version",
        "    return False",
    ),
    Mutant(
        "5 intent before the call",
        "kernel/delivering.py",
        "        self._transact([(t.record, o) for t in todo for o in self._recorder.intend(t.command)], ())\n",
        "",
    ),
    Mutant(
        "5 read back after a crash",
        "kernel/settling.py",
        "    in_doubt = entry is not None and entry.stage in {Stage.INTENT, Stage.UNKNOWN}\n",
        "    in_doubt = False\n",
    ),
    Mutant(
        "5 a failed read-back proves nothing",
        "kernel/settling.py",
        "            last = error\n            continue\n",
        "            return None\n",
    ),
    Mutant(
        "5 read back after a lost answer",
        "kernel/settling.py",
        "        except OutcomeUnknown as error:\n"
        "            found = await _read_back(command, native_id, sink, sleep)\n",
        "        except OutcomeUnknown as error:\n            found = None\n",
    ),
    Mutant(
        "5 patience before a read-back",
        "kernel/settling.py",
        "        await sleep(pause_secs)\n        try:\n            found = await sink.read_back",
        "        try:\n            found = await sink.read_back",
    ),
    Mutant(
        "5 uncertain after an outage",
        "kernel/delivering.py",
        "                    task.uncertain = True\n",
        "",
    ),
    Mutant(
        "7 an outage is not poison",
        "kernel/delivering.py",
        "                except Unavailable as error:\n                    task.uncertain = True\n"
        "                    outage.append(error)\n",
        "                except Unavailable as error:\n"
        "                    task.outcome = Failed(Rejected(str(error)), 1)\n",
    ),
    Mutant(
        "1 tables are read again after an uncertain commit",
        "kernel/consuming.py",
        "            load_tables(self._tables, self._runtime)\n            self._consumer.assign",
        "            self._consumer.assign",
    ),
    Mutant(
        "1 the position is taken up again after an uncertain commit",
        "kernel/consuming.py",
        "            self._recover()\n            return 0",
        "            self._producer = start_producer(self._processor.name, self._runtime)\n            return 0",
    ),
    Mutant(
        "8 our own echo is no word",
        "processors/merging.py",
        "    return entry.applied_version\n\n\ndef merge_report(",
        "    return None\n\n\ndef merge_report(",
    ),
    Mutant(
        "8 never back to where it came from",
        "processors/route.py",
        "        said_there = {field for field, author in said_by.items() if author == flow.target}",
        "        said_there: set[str] = set()",
    ),
    Mutant(
        "3 a document is posted once",
        "processors/accept.py",
        "            if state.fields != fields:\n                raise changed_document()\n            return []",
        "            if state.fields != fields:\n                raise changed_document()",
    ),
)


def survives(mutant: Mutant) -> str | None:
    """None if a seed failed without the line; else why the mutant counts as alive."""
    with tempfile.TemporaryDirectory() as folder:
        services = Path(folder) / "services"
        shutil.copytree(ROOT / "services", services, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("schemas", "topics"):
            (Path(folder) / name).symlink_to(ROOT / name)
        path = services / "tieline" / mutant.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutant.line) != 1:
            return f"its line stands {text.count(mutant.line)} times in {mutant.file}"
        path.write_text(text.replace(mutant.line, mutant.instead), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/simulation"]
        environment = os.environ | {"PYTHONPATH": str(services), "TIELINE_SEEDS": SEEDS}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 1:
            return None
        return (
            "no seed failed" if done.returncode == 0 else f"pytest ended with {done.returncode}: {done.stdout[-300:]}"
        )


def main() -> int:
    """Run every mutant, or those whose name contains the first argument; the number that survived."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in MUTANTS if wanted in mutant.breaks]
    alive = 0
    for mutant in chosen:
        reason = survives(mutant)
        alive += reason is not None
        print(f"{'SURVIVED' if reason else 'killed  '}  {mutant.breaks}  {reason or ''}", flush=True)  # noqa: T201  - its report
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed")  # noqa: T201  - as above
    return min(alive, 1)


if __name__ == "__main__":
    raise SystemExit(main())
