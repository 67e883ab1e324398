"""A whole estate of real parts, to kill and restart: Kafka, registry, Tryton, the UNIO24 sandbox, every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from tests.parts.tryton import TrytonPart, start_tryton
from tests.parts.unio24 import TOKEN, WEBHOOK_SECRET, Unio24Part, free_port, start_unio24

from tieline.kernel.fleet import processes
from tieline.kernel.landscape import load_landscape
from tieline.stack.parts import KafkaPart, Part, RegistryPart
from tieline.wiring import Hub, open_hub

ROOT = Path(__file__).parents[2]
DEMO_LANDSCAPE = ROOT / "deploy" / "local" / "landscape.yaml"
TIELINE = Path(sys.executable).parent / "tieline"


class Estate:
    """One hub on real parts, with ports and files of its own. ``parts`` holds every Tieline process by name."""

    def __init__(
        self, folder: Path, kafka: KafkaPart, registry: RegistryPart, tryton: TrytonPart, unio24: Unio24Part
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.registry = registry
        self.tryton = tryton
        self.unio24 = unio24
        self.landscape_path = folder / "landscape.yaml"
        self.landscape_path.write_text(yaml.safe_dump(self._landscape()), encoding="utf-8")
        self.environment = {"TIELINE_LANDSCAPE": str(self.landscape_path)}
        self.parts: dict[str, Part] = {}
        self.hub: Hub = open_hub(self.landscape_path)

    def start(self) -> None:
        """Apply topics and schemas, then start every process; returns when all are ready."""
        self.tieline("topics", "apply", "--yes")
        for spec in processes(load_landscape(self.landscape_path)):
            self._add(spec.name, list(spec.argv))
        for part in self.parts.values():
            part.start()

    def stop(self) -> None:
        """Stop every Tieline process, and leave the registry."""
        for part in self.parts.values():
            part.stop()
        self.hub.close()

    def tieline(
        self, *arguments: str, check: bool = True, timeout_secs: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run one ``tieline`` command as an operator would; its output is captured as text."""
        done = subprocess.run(
            [str(TIELINE), *arguments],
            env={**os.environ, **self.environment, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout_secs,
            check=False,
        )
        if check and done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}"
            raise AssertionError(f"tieline {' '.join(arguments)} exited {done.returncode}:\n{said}")
        return done

    def ask(self, *arguments: str) -> Mapping[str, object]:
        """Run a command with ``--json`` and parse what it printed."""
        done = self.tieline(*arguments, "--json", check=False)
        found: Mapping[str, object] = json.loads(done.stdout)
        return found

    def log_of(self, name: str) -> str:
        """What a process has logged so far."""
        return self.parts[name].log.read_text(encoding="utf-8", errors="replace")

    def _add(self, name: str, argv: list[str]) -> None:
        log = self.folder / f"{name}.log"

        def is_ready() -> bool:
            # A restarted process writes to the same file: only what it says since its start counts.
            return log.is_file() and b'"started"' in log.read_bytes()[part.log_mark :]

        part = MarkedPart(
            name=name, argv=[str(TIELINE), *argv[1:]], log=log, is_ready=is_ready, environment=self.environment
        )
        self.parts[name] = part

    def _landscape(self) -> Mapping[str, object]:
        landscape = yaml.safe_load(DEMO_LANDSCAPE.read_text(encoding="utf-8"))
        landscape["kafka"]["bootstrap_servers"] = self.kafka.bootstrap
        landscape["registry"]["url"] = self.registry.url
        landscape["views_port"] = free_port()
        landscape["metrics_port"] = 0  # several hubs run side by side here
        secrets = {"unio24-token": TOKEN, "webhook": WEBHOOK_SECRET, "tryton": self.tryton.password}
        for name, value in secrets.items():
            (self.folder / f"{name}.secret").write_text(value, encoding="utf-8")
        tryton = landscape["systems"]["tryton"]
        tryton["poll_interval_secs"] = 1.5
        tryton["settings"] |= {
            "endpoint": self.tryton.url,
            "database": self.tryton.database,
            "password": {"secret": f"file:{self.folder}/tryton.secret"},
            "late_commit_window_secs": 5,
        }
        for flow in landscape["flows"]:
            flow["latency_target_secs"] = 3600  # a busy machine is slow, not wrong
        port = free_port()
        unio24 = landscape["systems"]["unio24"]
        unio24["poll_interval_secs"] = 1.0
        unio24["settings"] |= {
            "endpoint": self.unio24.url,
            "profile": {"path": str(ROOT / "deploy" / "local" / "unio24.profile.yaml")},
            "token": {"secret": f"file:{self.folder}/unio24-token.secret"},
            "webhook_secret": {"secret": f"file:{self.folder}/webhook.secret"},
            "webhook_port": port,
            "webhook_callback_url": f"http://127.0.0.1:{port}/webhooks/unio24",
        }
        found: Mapping[str, object] = landscape
        return found


class MarkedPart(Part):
    """A part that remembers where its log stood when it was last started."""

    log_mark = 0

    def start(self, *, wait_secs: float = 60) -> None:
        """See ``Part``."""
        self.log_mark = self.log.stat().st_size if self.log.is_file() else 0
        super().start(wait_secs=wait_secs)


def eventually(condition: Callable[[], bool], what: str, *, timeout_secs: float = 90) -> None:
    """Wait until the condition holds; fails with ``what`` if it never does."""
    deadline = time.monotonic() + timeout_secs
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come about within {timeout_secs:.0f} s: {what}")
        time.sleep(0.3)


@contextmanager
def start_estate(folder: Path, kafka: KafkaPart, registry: RegistryPart) -> Iterator[Estate]:
    """A running estate on a given broker and registry, with systems of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tryton = stack.enter_context(start_tryton(folder / "tryton"))
        unio24 = stack.enter_context(start_unio24(folder / "unio24"))
        estate = Estate(folder, kafka, registry, tryton, unio24)
        stack.callback(estate.stop)
        estate.start()
        yield estate
