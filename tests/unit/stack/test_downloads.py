"""Downloads: verified, resumed, moved into place as a whole, and never asked for twice."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from tieline.stack.artifacts import Artifact, Bundle
from tieline.stack.downloads import ensure, sha256_of
from tieline.stack.errors import StackError

CONTENT = bytes(range(256)) * 4096


@dataclass
class Repository:
    """A Maven repository that serves ranges, and breaks off an answer when told to."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    break_after_bytes: list[int] = field(default_factory=list)
    knows_ranges: bool = True


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "no-maven-cache"))
    state = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = state.files[self.path]
            wanted = self.headers.get("Range") if state.knows_ranges else None
            state.ranges.append(self.headers.get("Range"))
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + state.break_after_bytes.pop(0) if state.break_after_bytes else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, *_: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.base = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
        thread.join()


class Served(NamedTuple):
    bundle: Bundle
    path: str


def _serve(repository: Repository, content: bytes, *, name: str = "a.jar", archive: bool = False) -> Served:
    path = f"org/example/a/1/{name}"
    repository.files[f"/{path}"] = content
    artifact = Artifact(path, len(content), hashlib.sha256(content).hexdigest())
    return Served(Bundle("thing-1", (artifact,), archive), path)


def test_a_bundle_is_fetched_once_and_then_needs_no_network(repository: Repository, tmp_path: Path) -> None:
    bundle, path = _serve(repository, CONTENT)
    folder = ensure(bundle, tmp_path, base=repository.base)
    assert (folder / "a.jar").read_bytes() == CONTENT
    del repository.files[f"/{path}"]
    assert ensure(bundle, tmp_path, base="http://127.0.0.1:9") == folder
    assert len(repository.ranges) == 1


def test_several_that_ask_at_once_fetch_one_copy(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, _archive(["lib/one.jar"]), name="a.tar.gz", archive=True)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ensure, bundle, tmp_path, base=repository.base) for _ in range(8)]
        assert {one.result() for one in asked} == {tmp_path / "thing-1"}
    assert len(repository.ranges) == 1


def test_an_answer_that_breaks_off_is_resumed_where_it_stopped(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, CONTENT)
    repository.break_after_bytes = [300_000, 400_000]
    folder = ensure(bundle, tmp_path, base=repository.base)
    assert (folder / "a.jar").read_bytes() == CONTENT
    assert repository.ranges == [None, "bytes=300000-", "bytes=700000-"]


def test_a_second_run_goes_on_where_the_first_was_interrupted(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, CONTENT)
    partial = tmp_path / "thing-1.partial"
    partial.mkdir()
    (partial / "a.jar.part").write_bytes(CONTENT[:500_000])
    assert (ensure(bundle, tmp_path, base=repository.base) / "a.jar").read_bytes() == CONTENT
    assert repository.ranges == ["bytes=500000-"]
    assert not partial.exists()


def test_a_server_without_ranges_starts_over(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, CONTENT)
    repository.knows_ranges = False
    repository.break_after_bytes = [300_000]
    assert (ensure(bundle, tmp_path, base=repository.base) / "a.jar").read_bytes() == CONTENT


def test_wrong_bytes_are_discarded_and_named(repository: Repository, tmp_path: Path) -> None:
    bundle, path = _serve(repository, CONTENT)
    repository.files[f"/{path}"] = CONTENT[:-1] + b"!"
    with pytest.raises(StackError, match=r"a\.jar does not have the locked SHA-256"):
        ensure(bundle, tmp_path, base=repository.base)
    assert not (tmp_path / "thing-1").exists()
    assert not list((tmp_path / "thing-1.partial").iterdir())


def test_without_network_the_message_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "no-maven-cache"))
    bundle = Bundle("thing-1", (Artifact("org/example/a/1/a.jar", 10, "0" * 64),))
    with pytest.raises(StackError, match=r"cannot download a\.jar.*The first start needs the network.*run the same"):
        ensure(bundle, tmp_path / "downloads", base="http://127.0.0.1:9")


def test_the_same_bytes_in_the_maven_cache_are_taken_from_there(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, path = _serve(repository, CONTENT)
    cached = tmp_path / "m2" / path
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    assert sha256_of(ensure(bundle, tmp_path, base=repository.base) / "a.jar") == bundle.artifacts[0].sha256
    assert repository.ranges == []


def _archive(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
    return stream.getvalue()


def test_an_archive_is_unpacked_and_dropped(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, _archive(["lib/one.jar", "run.jar"]), name="a.tar.gz", archive=True)
    folder = ensure(bundle, tmp_path, base=repository.base)
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.jar")) == ["lib/one.jar", "run.jar"]
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == ["thing-1"]


def test_an_archive_that_leaves_its_folder_is_refused(repository: Repository, tmp_path: Path) -> None:
    bundle, _ = _serve(repository, _archive(["../outside.jar"]), name="a.tar.gz", archive=True)
    with pytest.raises(tarfile.OutsideDestinationError):
        ensure(bundle, tmp_path, base=repository.base)
    assert not (tmp_path / "thing-1").exists()


def test_too_little_disk_is_said_before_anything_is_fetched(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, _ = _serve(repository, CONTENT)
    usage = shutil.disk_usage(tmp_path)._replace(free=12_000_000)
    monkeypatch.setattr("tieline.stack.downloads.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StackError, match=r"12 MB free and the stack needs about 1000 MB: free some space"):
        ensure(bundle, tmp_path, base=repository.base)
    assert repository.ranges == []
