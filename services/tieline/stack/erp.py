"""The demo ERP, Tryton: an environment of its own (it is a separate program), a database file, a server."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import httpx

from tieline.stack.alone import alone
from tieline.stack.errors import StackError
from tieline.stack.ports import HOST

DATABASE = "tieline"
_SETUP_TIMEOUT_SECS = 300
_INSTALL_TIMEOUT_SECS = 900


@dataclass(frozen=True, slots=True)
class Erp:
    """Where the ERP's pieces are. ``lock`` and ``setup`` are committed files, the rest is generated."""

    environment: Path
    data: Path
    config: Path
    log: Path
    lock: Path
    setup: Path
    password_file: Path
    template: Path
    port: int

    @property
    def python(self) -> Path:
        """The interpreter of its own environment."""
        return self.environment / "bin" / "python"

    def argv(self) -> tuple[str, ...]:
        """Command line of the server; without ``-d`` Tryton loads no database and every call fails."""
        return (str(self.environment / "bin" / "trytond"), "-c", str(self.config), "-d", DATABASE)


def install(erp: Erp) -> None:
    """Make the environment from the hash lock, once per lock; an interrupted one is made anew.

    Blocks a minute the first time. Raises ``StackError``.
    """
    with alone(erp.environment.with_name(f"{erp.environment.name}.lock")):
        _install(erp)


def _install(erp: Erp) -> None:
    stamp = erp.environment / "complete"
    wanted = _digest(erp.lock)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"installing the demo ERP into {erp.environment}", file=sys.stderr, flush=True)
    shutil.rmtree(erp.environment, ignore_errors=True)
    try:
        venv.create(erp.environment, with_pip=True)
        _run(
            [str(erp.python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(erp.lock)],
            erp.log,
            _INSTALL_TIMEOUT_SECS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(
            f"the demo ERP's packages could not be installed: see {erp.log};"
            " the first start needs the network and Python's venv module; run the same command again."
        ) from error
    stamp.write_text(wanted, encoding="utf-8")


def configure(erp: Erp) -> None:
    """Write the server's configuration."""
    erp.data.mkdir(parents=True, exist_ok=True)
    erp.config.parent.mkdir(parents=True, exist_ok=True)
    erp.config.write_text(
        f"[database]\nuri = sqlite://\npath = {erp.data}\n\n[web]\nlisten = {HOST}:{erp.port}\n", encoding="utf-8"
    )


def seed(erp: Erp) -> None:
    """Create and fill the database, once per password and set-up script; blocks 20 seconds the first time.

    A finished database is kept as a template beside the environment, so that starting over is quick.
    Raises ``StackError``.
    """
    with alone(erp.template.with_name(f"{erp.template.name}.lock")):
        # Several that seed at once, each its own database, make one template.
        _seed(erp)


def _seed(erp: Erp) -> None:
    stamp = erp.data / "seeded"
    recipe = _digest(erp.setup, erp.lock)
    wanted = recipe + _digest(erp.password_file)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    template = erp.template.with_name(f"{erp.template.name}-{recipe[:16]}.sqlite")
    command = [str(erp.python), str(erp.setup), "--config", str(erp.config), "--database", DATABASE]
    command += ["--password-file", str(erp.password_file)]
    if template.is_file():
        command += ["--from-template", str(template)]
    elif not (erp.data / f"{DATABASE}.sqlite").is_file():
        # Only a database that nobody has worked with yet may become the template of others.
        command += ["--dump", str(template)]
    try:
        _run(command, erp.log, _SETUP_TIMEOUT_SECS)
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(
            f"the demo ERP's database could not be set up: see {erp.log}; `make down PURGE=1` starts it afresh."
        ) from error
    stamp.write_text(wanted, encoding="utf-8")


def is_ready(port: int, *, timeout_secs: float = 1.0) -> bool:
    """True when the server answers a call."""
    request = {"id": 1, "method": "common.server.version", "params": []}
    try:
        answer = httpx.post(f"http://{HOST}:{port}/rpc/", json=request, timeout=timeout_secs)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


def _run(command: list[str], log: Path, timeout_secs: float) -> None:
    with log.open("ab") as stream:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, timeout=timeout_secs, check=True
        )


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
