"""The foreign programs the native stack runs: which files, how large, and their SHA-256.

``artifacts.lock.json`` beside this module is the truth; ``python -m tieline.stack lock`` writes it anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

LOCK_NAME = "artifacts.lock.json"
KAFKA_VERSION = "4.1.1"
REGISTRY_VERSION = "3.3.3"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository. ``path`` is relative to the repository's base."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that belong together, in one folder named after the bundle; ``archive`` means: unpack the only file."""

    name: str
    artifacts: tuple[Artifact, ...]
    archive: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes to download for the whole bundle."""
        return sum(artifact.size_bytes for artifact in self.artifacts)


def bundles() -> dict[str, Bundle]:
    """``kafka`` (a folder of jars) and ``registry`` (an archive to unpack), as locked."""
    document = json.loads(files(__package__).joinpath(LOCK_NAME).read_text(encoding="utf-8"))
    return {
        key: Bundle(
            name=entry["name"],
            artifacts=tuple(Artifact(**artifact) for artifact in entry["artifacts"]),
            archive=entry["archive"],
        )
        for key, entry in document.items()
    }
