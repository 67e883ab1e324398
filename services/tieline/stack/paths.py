"""Where the native stack keeps its things."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

# The kernel's limit for a UNIX socket's path is 107 bytes; supervisord binds to "<path>.<pid>" first.
_SOCKET_PATH_LIMIT = 95


@dataclass(frozen=True, slots=True)
class StackPaths:
    """Folders under one root, ``.tieline/`` of the checkout unless a test says otherwise."""

    root: Path

    @property
    def downloads(self) -> Path:
        """Foreign programs; survives ``down --purge``."""
        return self.root / "downloads"

    @property
    def data(self) -> Path:
        """Kafka's log, the ERP's and the sandbox's databases; ``down --purge`` removes it."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """One log file per part."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Generated configuration, pid files."""
        return self.root / "run"

    @property
    def secrets(self) -> Path:
        """Generated secrets, one file each, mode 0600."""
        return self.root / "secrets"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket; in the temporary folder when the checkout's path is too long for one."""
        path = self.run / "supervisor.sock"
        if len(str(path).encode()) <= _SOCKET_PATH_LIMIT:
            return path
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tieline-{digest}" / "supervisor.sock"

    def create(self) -> None:
        """Make the folders; ``run`` and ``secrets`` are the owner's alone."""
        for folder in (self.downloads, self.data, self.log):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.run, self.secrets, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)


def checkout() -> Path:
    """The folder that holds ``deploy/`` and ``docker-compose.yml``: found upwards from here, else the current one."""
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if (folder / "deploy" / "local").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return Path.cwd()
