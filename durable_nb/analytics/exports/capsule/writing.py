"""Capsules into files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec

from durable_nb.analytics.exports.capsule.form import (
    DEFINITIONS,
    FORMAT,
    HISTORY,
    MANIFEST,
    OUTPUT,
    RUN,
    VERSION,
    Entry,
    Manifest,
    RunSummary,
    StoredRun,
)
from durable_nb.analytics.exports.files import new_file
from durable_nb.analytics.exports.histories import history_document, zip_entry
from durable_nb.analytics.exports.instants import iso_instant
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.model.attributes import ActivityTaskScheduled
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import DefinitionRow
from durable_nb.store import blobs

_encoder = msgspec.json.Encoder()


class DefinitionLookup(Protocol):
    """Where sources are found: a store."""

    def get_definition(self, digest: str) -> DefinitionRow | None: ...
    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None: ...


def write_capsule(
    path: Path,
    runs: Iterable[RunRecord],
    *,
    lookup: DefinitionLookup | None = None,
    created_at: int = 0,
    overwrite: bool = False,
) -> int:
    """Write a capsule; returns the number of runs.

    Parameters
    ----------
    lookup
        Where the sources of definitions are found; None leaves them out.
    created_at
        Microseconds since the epoch, for the manifest.

    Raises
    ------
    ExportError
        DNB405: the file exists and ``overwrite`` is False, or the place cannot be written.
    """
    with new_file(path, overwrite=overwrite) as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        writer = _Writer(archive)
        for record in runs:
            writer.add_run(record)
            if lookup is not None:
                writer.add_definitions(record, lookup)
        writer.finish(created_at)
        return len(writer.runs)


class _Writer:
    """Entries as they are added, and what the manifest will say of them."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries: dict[str, Entry] = {}
        self._definitions: dict[str, DefinitionRow] = {}
        self._asked: set[tuple[str, str, str]] = set()
        self.runs: list[RunSummary] = []

    def _add(self, name: str, data: bytes) -> None:
        self._entries[name] = Entry(sha256(data).hexdigest(), len(data))
        with self._archive.open(zip_entry(name), "w", force_zip64=len(data) > 2**31) as entry:
            entry.write(data)

    def add_run(self, record: RunRecord) -> None:
        run = record.run
        folder = f"runs/{len(self.runs) + 1}"
        history, found = blobs.take_out(history_document(record), blobs.DEFAULT_BLOB_LIMIT)
        self._add(f"{folder}/{HISTORY}", history)
        stored = StoredRun(
            run, list(record.attempts), list(record.activities), record.workflow_task, list(record.transfers)
        )
        self._add(f"{folder}/{RUN}", _encoder.encode(stored))
        if record.outputs:
            self._add(f"{folder}/{OUTPUT}", _encoder.encode(list(record.outputs)))
        for digest, data in found.items():
            if f"blobs/{digest}" not in self._entries:
                self._add(f"blobs/{digest}", data)
        status = WorkflowExecutionStatus(run.status).name.lower()
        self.runs.append(RunSummary(folder, run.workflow_id, run.run_id, run.workflow_type, status, len(record.events)))

    def add_definitions(self, record: RunRecord, lookup: DefinitionLookup) -> None:
        run = record.run
        wanted = [(run.definition, "workflow", run.workflow_type)]
        wanted += [
            ("", "activity", event.attributes.activity_type)
            for event in record.events
            if isinstance(event.attributes, ActivityTaskScheduled)
        ]
        for asked in wanted:
            if asked in self._asked:
                continue
            self._asked.add(asked)
            digest, kind, name = asked
            found = lookup.get_definition(digest) if digest else lookup.latest_definition(kind, name)
            if found is not None:
                self._definitions[found.digest] = msgspec.structs.replace(found, signature="")

    def finish(self, created_at: int) -> None:
        self._add(DEFINITIONS, _encoder.encode(list(self._definitions.values())))
        shown = iso_instant(created_at) if created_at else ""
        manifest = Manifest(FORMAT, VERSION, shown, created_at, self.runs, self._entries)
        self._archive.writestr(zip_entry(MANIFEST), msgspec.json.format(_encoder.encode(manifest), indent=1))
