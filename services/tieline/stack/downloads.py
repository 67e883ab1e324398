"""Fetches the locked foreign programs once: resumed when interrupted, verified, then moved into place as a whole."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from tieline.kernel.disk import writing
from tieline.stack.alone import alone
from tieline.stack.artifacts import Artifact, Bundle
from tieline.stack.errors import StackError
from tieline.stack.repository import local_cache, remote_base

# The downloads and what they unpack to, with room for the first data.
DISK_NEEDED_BYTES = 1_000_000_000
_ATTEMPTS = 4
_PARALLEL = 4
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)

Advance = Callable[[int], None]


def ensure(bundle: Bundle, downloads: Path, *, base: str | None = None) -> Path:
    """The bundle's folder under ``downloads``, fetched if it is not there; needs no network when it is.

    ``base`` is the Maven repository, by default what the user's settings say. Blocks for as long as the network takes,
    also while another process fetches the same bundle. Raises ``StackError`` when the network or the disk does not
    suffice.
    """
    folder = downloads / bundle.name
    if folder.is_dir():
        # The rename in _fetch_all is the last step, so a folder of this name is complete.
        return folder
    _check_disk(downloads)
    with alone(downloads / f"{bundle.name}.lock"):
        if not folder.is_dir():
            _fetch_all(bundle, folder, base or remote_base())
    return folder


def _fetch_all(bundle: Bundle, folder: Path, base: str) -> None:
    partial = folder.with_name(f"{bundle.name}.partial")
    partial.mkdir(exist_ok=True)
    with (
        _Progress(bundle) as advance,
        httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client,
        ThreadPoolExecutor(_PARALLEL) as pool,
    ):
        jobs = [pool.submit(fetch, client, base, artifact, partial, advance) for artifact in bundle.artifacts]
        for job in jobs:
            job.result()
    if bundle.archive:
        _unpack(partial / bundle.artifacts[0].file_name, folder)
        shutil.rmtree(partial)
    else:
        partial.rename(folder)


def fetch(client: httpx.Client, base: str, artifact: Artifact, folder: Path, advance: Advance) -> Path:
    """One verified file in ``folder``; ``advance`` is told the bytes as they arrive, a resumed part's at once.

    Takes it from the user's Maven cache when that holds the very same bytes. Raises ``StackError``.
    """
    target = folder / artifact.file_name
    cached = local_cache() / artifact.path
    if target.is_file() and sha256_of(target) == artifact.sha256:
        advance(artifact.size_bytes)
        return target
    if cached.is_file() and sha256_of(cached) == artifact.sha256:
        shutil.copyfile(cached, target)
        advance(artifact.size_bytes)
        return target
    part = target.with_name(target.name + ".part")
    failure: httpx.HTTPError | None = None
    counted = 0
    for _ in range(_ATTEMPTS):
        start = part.stat().st_size if part.is_file() else 0
        advance(start - counted)
        counted = start
        try:
            counted += _receive(client, f"{base}/{artifact.path}", part, start, advance)
        except httpx.HTTPError as error:
            failure = error
            counted = part.stat().st_size if part.is_file() else 0
            continue
        if part.stat().st_size >= artifact.size_bytes:
            break
    if not part.is_file() or part.stat().st_size < artifact.size_bytes:
        raise StackError(
            f"cannot download {artifact.file_name}: {failure or 'the server sent too little'}. The first start needs"
            " the network (a Maven mirror in ~/.m2/settings.xml and HTTPS_PROXY are honoured);"
            " run the same command again, it goes on where it stopped."
        )
    if sha256_of(part) != artifact.sha256:
        part.unlink()
        raise StackError(
            f"{artifact.file_name} does not have the locked SHA-256, so it was discarded:"
            " run the same command again; if it stays wrong, the mirror serves another file than Maven Central."
        )
    part.rename(target)
    return target


def _receive(client: httpx.Client, url: str, part: Path, start: int, advance: Advance) -> int:
    """Append to ``part`` from ``start``; returns the bytes added. Starts over when the server knows no ranges."""
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"} if start else {"Accept-Encoding": "identity"}
    added = 0
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Nothing is missing, or the part is longer than the file: the hash decides.
            return 0
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if start and not resumed:
            advance(-start)
        room = writing(part, "free some space and run the same command again: it goes on where it stopped")
        with room, part.open("ab" if resumed else "wb") as stream:
            for chunk in response.iter_bytes():
                stream.write(chunk)
                advance(len(chunk))
                added += len(chunk)
    return added


def _unpack(archive: Path, folder: Path) -> None:
    staging = folder.with_name(folder.name + ".unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(staging, filter="data")
    staging.rename(folder)


def sha256_of(file: Path) -> str:
    """Hex digest of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_disk(downloads: Path) -> None:
    downloads.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(downloads).free
    if free < DISK_NEEDED_BYTES:
        raise StackError(
            f"{downloads} has {free // 1_000_000} MB free and the stack needs about"
            f" {DISK_NEEDED_BYTES // 1_000_000} MB: free some space, or put the checkout on a larger disk."
        )


class _Progress:
    """A bar on a terminal, a line per tenth elsewhere; safe to advance from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._console = Console(stderr=True)
        self._lock = Lock()
        self._done_bytes = 0
        self._tenths = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console,
        )

    def __enter__(self) -> Advance:
        if self._console.is_terminal:
            self._bar.start()
            task = self._bar.add_task(f"fetching {self._bundle.name}", total=self._bundle.size_bytes)
            return lambda count: self._bar.advance(task, count)
        return self._line

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def _line(self, count: int) -> None:
        with self._lock:
            self._done_bytes += count
            tenths = self._done_bytes * 10 // self._bundle.size_bytes
            if tenths > self._tenths:
                self._tenths = tenths
                total = self._bundle.size_bytes // 1_000_000
                self._console.print(f"fetching {self._bundle.name}: {tenths * 10} % of {total} MB", highlight=False)
