"""The built wheel, installed where no checkout is: everything it needs is in it, and one producer works from it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.parts.estate import DEMO_LANDSCAPE, ROOT, eventually
from tests.parts.unio24 import PROFILE, TOKEN, WEBHOOK_SECRET, Unio24Part, start_unio24

from tieline.kernel import broker
from tieline.kernel.asset_records import AssetReport
from tieline.kernel.records import Inbound
from tieline.stack.parts import KafkaPart, Part, RegistryPart
from tieline.wiring import open_hub

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PACKAGE = ROOT / "services" / "tieline"
INSTALL_TIMEOUT_SECS = 600


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An environment with the wheel in it, in a folder outside the repository."""

    folder: Path
    wheel: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "venv" / "bin"

    def environment(self) -> dict[str, str]:
        """Ours without anything that leads back to the checkout."""
        left_out = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "TIELINE_LANDSCAPE"}
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        return {**kept, "PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin", "COLUMNS": "200"}

    def run(self, *command: str, timeout_secs: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment there; output as text."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_secs,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout with the locked build tool."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(folder)]
    built = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, f"the wheel cannot be built:\n{built.stderr[-2000:]}"
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """The wheel, installed on the runtime lock and nothing else."""
    made = Elsewhere(tmp_path_factory.mktemp("elsewhere"), wheel)
    assert ROOT not in made.folder.parents, "the folder for temporary files lies inside the repository"
    venv.create(made.folder / "venv", with_pip=True)
    lock = ROOT / "requirements" / "runtime.lock"
    pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    for arguments in (("--require-hashes", "-r", str(lock)), ("--no-deps", str(wheel))):
        done = made.run(*pip, *arguments, timeout_secs=INSTALL_TIMEOUT_SECS)
        assert done.returncode == 0, (
            f"pip cannot install {arguments[-1]}; this test needs the package index to answer:\n{done.stderr[-2000:]}"
        )
    return made


def test_the_wheel_carries_every_file_of_the_package_and_every_declaration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {f"tieline/{path.relative_to(PACKAGE)}" for path in files}
    wanted |= {f"tieline/_declared/topics/{path.name}" for path in (ROOT / "topics").glob("*.yaml")}
    wanted |= {f"tieline/_declared/schemas/avro/{path.name}" for path in (ROOT / "schemas" / "avro").glob("*.avsc")}
    assert wanted - carried == set()
    assert {name for name in wanted if name.endswith("manifest.yaml")} >= {
        "tieline/connectors/tryton/manifest.yaml",
        "tieline/connectors/unio24/manifest.yaml",
    }
    assert "tieline/_declared/topics/asset.asset.event.v1.yaml" in carried
    assert not [name for name in carried if "__pycache__" in name or name.startswith("tests/")]


@dataclass(frozen=True, slots=True)
class Site:
    """Somebody's own landscape, beside the environment."""

    landscape: Path
    kafka: KafkaPart
    unio24: Unio24Part


@pytest.fixture
def site(elsewhere: Elsewhere, empty_kafka: KafkaPart, registry_part: RegistryPart) -> Iterator[Site]:
    with start_unio24(elsewhere.folder / "unio24") as unio24:
        path = elsewhere.folder / "landscape.yaml"
        path.write_text(yaml.safe_dump(landscape_of(empty_kafka, registry_part, unio24)), encoding="utf-8")
        (elsewhere.folder / "unio24.profile.yaml").write_text(PROFILE.read_text(encoding="utf-8"), encoding="utf-8")
        secrets = {"token": TOKEN, "webhook": WEBHOOK_SECRET, "tryton": "not used here"}
        for name, value in secrets.items():
            (elsewhere.folder / f"{name}.secret").write_text(value, encoding="utf-8")
        yield Site(path, empty_kafka, unio24)


def landscape_of(kafka: KafkaPart, registry: RegistryPart, unio24: Unio24Part) -> Mapping[str, object]:
    landscape: dict[str, dict[str, dict[str, dict[str, object]]]] = yaml.safe_load(
        DEMO_LANDSCAPE.read_text(encoding="utf-8")
    )
    systems = landscape["systems"]
    systems["tryton"]["settings"]["password"] = {"secret": "file:tryton.secret"}
    settings = systems["unio24"]["settings"]
    settings |= {"endpoint": unio24.url, "token": {"secret": "file:token.secret"}}
    settings["webhook_secret"] = {"secret": "file:webhook.secret"}
    del settings["webhook_port"]  # polling is enough here, and the port is the demo's
    return {
        **landscape,
        "kafka": {"bootstrap_servers": kafka.bootstrap, "replication_factor": 1},
        "registry": {"url": registry.url},
    }


def test_a_producer_runs_from_the_wheel_far_from_the_checkout(elsewhere: Elsewhere, site: Site) -> None:
    where = elsewhere.run("python", "-c", "import tieline; print(tieline.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(elsewhere.folder), where.stderr

    checked = elsewhere.run("tieline", "check", "--landscape", "landscape.yaml")
    assert (checked.returncode, checked.stdout) == (0, "landscape.yaml: complete.\n"), checked.stderr
    planned = elsewhere.run("tieline", "topics", "plan", "--landscape", "landscape.yaml")
    assert planned.returncode == 2, planned.stderr  # changes are pending: the broker is new
    assert "src.unio24.raw.v1" in planned.stdout
    applied = elsewhere.run("tieline", "topics", "apply", "--yes", "--landscape", "landscape.yaml")
    assert applied.returncode == 0, applied.stderr
    again = elsewhere.run("tieline", "topics", "plan", "--landscape", "landscape.yaml")
    assert again.returncode == 0, again.stdout

    with site.unio24.user() as manager:
        manager.create_asset("Pump from the wheel", tag="AT-WHEEL")
    log = elsewhere.folder / "source.log"
    with Part(
        name="source-unio24",
        argv=[str(elsewhere.bin / "tieline"), "run", "source", "unio24", "--landscape", "landscape.yaml"],
        log=log,
        is_ready=lambda: log.is_file() and b'"started"' in log.read_bytes(),
        environment=elsewhere.environment(),
        cwd=elsewhere.folder,
    ) as source:
        source.start()
        eventually(lambda: bool(tags(site)), "the record of the sandbox stands on the topic")
    assert tags(site) == ["AT-WHEEL"]


def tags(site: Site) -> list[str | None]:
    """Tags of the assets that were reported."""
    hub = open_hub(site.landscape)
    found: list[Inbound] = []
    broker.read_to_end(hub.landscape.kafka, ["asset.asset.report.v1"], found.append)
    bodies = [hub.codec.decode(record.topic, record.value or b"").body for record in found]
    hub.close()
    return [body.fields.tag for body in bodies if isinstance(body, AssetReport)]
