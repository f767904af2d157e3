"""Histories in Temporal's JSON: one run as a file, many as a zip or a directory of such files.

Each file is what Temporal's tools and Replayers read. Files are named ``workflow ID/run ID.json``, with characters
that some file system refuses replaced; ``index.csv`` (in a zip or directory) says which is which.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from durable_nb.analytics.exports.files import new_file, write_text
from durable_nb.analytics.exports.instants import iso_instant
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.converter.history_json import history_to_dict, history_to_json
from durable_nb.errors import ExportError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.text import safe_text

_encoder = msgspec.json.Encoder()
_REFUSED = re.compile(r"[^\w.\-+=@ ]|^[. ]+|[. ]+$")
_RESERVED = frozenset("con prn aux nul".split()) | {f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)}

INDEX_COLUMNS = ("file", "workflow_id", "run_id", "workflow_type", "status", "start_time", "close_time", "events")


def history_document(record: RunRecord) -> bytes:
    """The history of a run as JSON."""
    run = record.run
    return _encoder.encode(history_to_dict(run.workflow_id, record.events, run.run_id))


def write_history(path: Path, runs: Iterable[RunRecord], *, overwrite: bool = False) -> int:
    """One run into one file; returns 1.

    Raises
    ------
    ExportError
        DNB405: there is none or more than one, or the file cannot be written.
    """
    found = iter(runs)
    record = next(found, None)
    if record is None:
        raise ExportError("no run was selected, and a history file holds one")
    if next(found, None) is not None:
        raise ExportError("a .json file holds the history of one run", fix="name a .zip, or a directory (no suffix)")
    run = record.run
    write_text(path, [history_to_json(run.workflow_id, record.events, run.run_id)], overwrite=overwrite)
    return 1


def write_histories_zip(path: Path, runs: Iterable[RunRecord], *, overwrite: bool = False) -> int:
    """All runs into one zip; returns their number."""
    index = _Index()
    with new_file(path, overwrite=overwrite) as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in runs:
            with archive.open(zip_entry(index.name_for(record)), "w") as entry:
                entry.write(history_document(record))
        archive.writestr(zip_entry("index.csv"), index.text())
    return index.count


def write_histories_directory(path: Path, runs: Iterable[RunRecord], *, overwrite: bool = False) -> int:
    """All runs into a directory, which is made where it is missing; returns their number.

    Each file is written whole or not at all; with ``overwrite`` files of the same name are replaced and others left.

    Raises
    ------
    ExportError
        DNB405: the directory is not empty and ``overwrite`` is False, or it cannot be written.
    """
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise ExportError(f"the directory {str(path)!r} is not empty", fix="pass overwrite=True, or name another one")
    if path.exists() and not path.is_dir():
        raise ExportError(f"{str(path)!r} is a file, not a directory", fix="name a directory, or a .zip")
    index = _Index()
    try:
        path.mkdir(parents=True, exist_ok=True)
        for record in runs:
            place = path / index.name_for(record)
            place.parent.mkdir(exist_ok=True)
            with new_file(place, overwrite=overwrite) as file:
                file.write(history_document(record))
    except OSError as error:
        raise ExportError(f"{str(path)!r} cannot be written: {error.strerror}") from error
    write_text(path / "index.csv", [index.text()], overwrite=overwrite)
    return index.count


def zip_entry(name: str) -> zipfile.ZipInfo:
    """An entry of a zip without the time of day, so that the same runs give the same bytes."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


class _Index:
    """Names of the files, each once, and the table that explains them."""

    def __init__(self) -> None:
        self.count = 0
        self._folders: dict[str, str] = {}
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer)
        self._writer.writerow(INDEX_COLUMNS)

    def name_for(self, record: RunRecord) -> str:
        run = record.run
        name = f"{self._folder(run.workflow_id)}/{safe_name(run.run_id)}.json"
        self.count += 1
        closed = iso_instant(run.close_time) if run.close_time else ""
        status = WorkflowExecutionStatus(run.status).name.lower()
        ids = [safe_text(text, 2000) for text in (run.workflow_id, run.run_id, run.workflow_type)]
        self._writer.writerow([name, *ids, status, iso_instant(run.start_time), closed, len(record.events)])
        return name

    def _folder(self, workflow_id: str) -> str:
        """A folder of its own for each workflow ID, also on file systems that ignore case."""
        wanted = safe_name(workflow_id)
        folder, number = wanted, 1
        while self._folders.setdefault(folder.lower(), workflow_id) != workflow_id:
            number += 1
            folder = f"{wanted}~{number}"
        return folder

    def text(self) -> str:
        return self._buffer.getvalue()


def safe_name(text: str, limit: int = 100) -> str:
    """A name that every file system takes: no separator, no control character, never ``..`` or a device."""
    name = _REFUSED.sub("_", text)[:limit].rstrip(". ") or "_"
    return f"{name}_" if name.lower().partition(".")[0] in _RESERVED else name
