"""Capsules from files, checked in every part."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, overload

import msgspec

from durable_nb.analytics.exports.capsule.form import (
    DEFINITIONS,
    FORMAT,
    HISTORY,
    MANIFEST,
    NAMES,
    OUTPUT,
    RUN,
    VERSION,
    Head,
    Manifest,
    RunSummary,
    StoredRun,
)
from durable_nb.analytics.exports.records import RunRecord, record_of_history
from durable_nb.converter.history_json import history_from_json
from durable_nb.errors import CapsuleError, HistoryFormatError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import DefinitionRow, OutputRow
from durable_nb.store import blobs

T = TypeVar("T")

MAX_BYTES = 2 * 1024**3
"""What an unpacked capsule may hold, unless the reader says otherwise."""
MAX_ENTRIES = 400_000
MAX_MANIFEST = 256 * 1024**2

_CHUNK = 1024 * 1024
_UNREADABLE = (HistoryFormatError, msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError)
"""What the contents of an entry may raise while they are read."""

_RUNNING = WorkflowExecutionStatus.RUNNING
_chunks = msgspec.json.Decoder(list[tuple[str, str]])


class Capsule:
    """A capsule whose manifest explains all of its entries.

    Attributes
    ----------
    manifest
        What it says of itself.
    runs
        Its runs. Each is read from the file and checked when it is asked for, so that they are never in memory
        together; one that is not what the manifest says raises ``CapsuleError``.
    definitions
        Sources, unsigned.
    """

    def __init__(self, path: Path, manifest: Manifest, definitions: list[DefinitionRow]) -> None:
        self.manifest = manifest
        self.runs: Sequence[RunRecord] = _Runs(path, manifest)
        self.definitions = definitions

    @property
    def open_runs(self) -> list[str]:
        """IDs of the runs that were open when it was made."""
        return [summary.run_id for summary in self.manifest.runs if summary.status == _status_word(_RUNNING)]


def read_capsule(path: Path, *, max_bytes: int = MAX_BYTES) -> Capsule:
    """A capsule from its file, checked in every part.

    Parameters
    ----------
    max_bytes
        What it may hold when unpacked.

    Raises
    ------
    CapsuleError
        DNB406: it is no capsule, of a newer version, damaged, or holds what a capsule must not; names the entry.
    """
    capsule = open_capsule(path, max_bytes=max_bytes)
    for _ in capsule.runs:
        pass
    return capsule


def open_capsule(path: Path, *, max_bytes: int = MAX_BYTES) -> Capsule:
    """As ``read_capsule``, for those who go through its runs anyway: each is checked when it is read, not before.

    Raises
    ------
    CapsuleError
        DNB406: as ``read_capsule``.
    """
    with _opened(path) as archive:
        reader = _Reader(archive, str(path))
        reader.require_modest(max_bytes)
        manifest = reader.read_manifest()
        reader.require_complete(manifest)
        return Capsule(path, manifest, reader.definitions(manifest))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip; what is wrong with it is told as ``CapsuleError``."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise CapsuleError("there is no such file", where=str(path)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        # RuntimeError: an encrypted entry; NotImplementedError: a way of packing that zipfile does not know.
        raise CapsuleError(
            f"this is no capsule, or it is damaged: {error}",
            where=str(path),
            fix="make it again by handle.export('….capsule')",
        ) from error


def _status_word(status: int) -> str:
    return WorkflowExecutionStatus(status).name.lower()


class _Runs(Sequence[RunRecord]):
    """The runs of a file, as its manifest lists them."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest

    def __len__(self) -> int:
        return len(self._manifest.runs)

    def __iter__(self) -> Iterator[RunRecord]:
        return self._read(self._manifest.runs)

    @overload
    def __getitem__(self, index: int) -> RunRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[RunRecord]: ...
    def __getitem__(self, index: int | slice) -> RunRecord | list[RunRecord]:
        if isinstance(index, slice):
            return list(self._read(self._manifest.runs[index]))
        return next(self._read([self._manifest.runs[index]]))

    def _read(self, summaries: Sequence[RunSummary]) -> Iterator[RunRecord]:
        with _opened(self._path) as archive:
            reader = _Reader(archive, str(self._path))
            for summary in summaries:
                yield reader.run(summary, self._manifest)


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive = archive
        self._where = where
        self._infos = self._checked_names()

    def _refuse(self, message: str, fix: str = "") -> CapsuleError:
        return CapsuleError(message, where=self._where, fix=fix)

    def _checked_names(self) -> Mapping[str, zipfile.ZipInfo]:
        """Entries by name, where all of them belong into a capsule."""
        listed = self._archive.infolist()
        if len(listed) > MAX_ENTRIES:
            raise self._refuse(f"it has {len(listed):,} entries, and a capsule at most {MAX_ENTRIES:,}")
        infos: dict[str, zipfile.ZipInfo] = {}
        for info in listed:
            if NAMES.fullmatch(info.orig_filename) is None:
                raise self._refuse(f"the entry {info.orig_filename[:200]!r} does not belong into a capsule")
            if info.orig_filename in infos:
                raise self._refuse(f"the entry {info.orig_filename!r} occurs twice")
            infos[info.orig_filename] = info
        return infos

    def require_modest(self, max_bytes: int) -> None:
        """Refuse what would be too much, before anything is unpacked."""
        size = sum(info.file_size for info in self._infos.values())
        if size > max_bytes:
            raise self._refuse(
                f"unpacked it has {size:,} bytes, and at most {max_bytes:,} are allowed",
                "pass max_bytes=… if you trust it",
            )
        if MANIFEST not in self._infos or self._infos[MANIFEST].file_size > MAX_MANIFEST:
            raise self._refuse("it has no manifest.json: this is a zip, but no capsule")

    def require_complete(self, manifest: Manifest) -> None:
        """Refuse entries that the manifest does not explain, and runs that it names twice."""
        missing = manifest.entries.keys() ^ (self._infos.keys() - {MANIFEST})
        if missing:
            raise self._refuse(f"the manifest and the entries differ: {sorted(missing)[0]!r}")
        for name in manifest.entries:
            if name.startswith("blobs/") and manifest.entries[name].sha256 != name[6:]:
                raise self._refuse(f"the entry {name!r} is not named by its content")
        needed = {f"{summary.folder}/{part}" for summary in manifest.runs for part in (HISTORY, RUN)}
        used = needed | {f"{summary.folder}/{OUTPUT}" for summary in manifest.runs}
        if len(needed) < 2 * len(manifest.runs) or any(
            n.startswith("runs/") and n not in used for n in manifest.entries
        ):
            raise self._refuse("the list of runs in the manifest is not that of the entries")
        if len({summary.run_id for summary in manifest.runs}) < len(manifest.runs):
            raise self._refuse("it holds a run twice")

    def read_manifest(self) -> Manifest:
        text = self._unpack(MANIFEST, self._infos[MANIFEST].file_size)
        head = self._decoded(text, Head, "its manifest")
        if head.format != FORMAT:
            raise self._refuse("its manifest is not that of a capsule")
        if not 1 <= head.version <= VERSION:
            raise self._refuse(
                f"it has version {head.version} of the format, this durable_nb knows versions up to {VERSION}",
                "upgrade durable_nb (pip install --upgrade durable-nb)",
            )
        return self._decoded(text, Manifest, "its manifest")

    def _decoded(self, text: bytes, kind: type[T], what: str) -> T:
        try:
            return msgspec.json.decode(text, type=kind)
        except _UNREADABLE as error:
            raise self._refuse(f"{what} cannot be read: {error}") from error

    def _unpack(self, name: str, size: int) -> bytes:
        """Contents of an entry; more than it says of itself is never unpacked."""
        pieces = []
        left = size + 1
        with self._archive.open(self._infos[name]) as file:
            while left > 0 and (piece := file.read(min(left, _CHUNK))):
                pieces.append(piece)
                left -= len(piece)
        return b"".join(pieces)

    def _entry(self, name: str, manifest: Manifest) -> bytes:
        entry = manifest.entries.get(name)
        if entry is None or name not in self._infos:
            raise self._refuse(f"the entry {name!r} is missing")
        data = self._unpack(name, entry.size)
        if len(data) != entry.size or sha256(data).hexdigest() != entry.sha256:
            raise self._refuse(f"the entry {name!r} is not what the manifest says: the capsule was changed or damaged")
        return data

    def run(self, summary: RunSummary, manifest: Manifest) -> RunRecord:
        """A run, where its parts agree with the manifest and with each other."""
        history = self._entry(f"{summary.folder}/{HISTORY}", manifest)
        what = f"the run in {summary.folder!r}"
        stored = self._decoded(self._entry(f"{summary.folder}/{RUN}", manifest), StoredRun, what)

        def fetch(digest: str) -> bytes:
            return self._entry(f"blobs/{digest}", manifest)

        try:
            if blobs.MARK in history:
                history = blobs.put_back(history, fetch)
            events = history_from_json(history)
            derived = record_of_history(summary.workflow_id, events).run
        except CapsuleError:
            raise
        except _UNREADABLE as error:
            raise self._refuse(f"{what} cannot be read: {error}") from error
        run = stored.run
        told = (run.workflow_id, run.run_id, run.workflow_type, run.status, run.next_event_id)
        if told != (summary.workflow_id, summary.run_id, derived.workflow_type, derived.status, len(events) + 1):
            raise self._refuse(f"the row and the history of the run in {summary.folder!r} contradict each other")
        if summary.status != _status_word(run.status):
            raise self._refuse(f"the manifest and the row of the run in {summary.folder!r} contradict each other")
        return RunRecord(
            run,
            events,
            stored.attempts,
            stored.activities,
            stored.workflow_task,
            stored.transfers,
            self._outputs(f"{summary.folder}/{OUTPUT}", manifest),
        )

    def _outputs(self, name: str, manifest: Manifest) -> list[OutputRow]:
        if name not in manifest.entries:
            return []
        rows = self._decoded(self._entry(name, manifest), list[OutputRow], f"the entry {name!r}")
        try:
            for row in rows:
                _chunks.decode(row.chunks)
        except _UNREADABLE as error:
            raise self._refuse(f"the entry {name!r} cannot be read: {error}") from error
        return rows

    def definitions(self, manifest: Manifest) -> list[DefinitionRow]:
        rows = self._decoded(self._entry(DEFINITIONS, manifest), list[DefinitionRow], "its list of definitions")
        # Whoever made the capsule cannot vouch for code in another user's name.
        return [msgspec.structs.replace(row, signature="") for row in rows]
