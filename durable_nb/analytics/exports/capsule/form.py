"""What the entries of a capsule are called and hold."""

from __future__ import annotations

import re

import msgspec

from durable_nb.model.records import ActivityRow, AttemptRow, RunRow, TransferRow, WorkflowTaskRow

FORMAT = "durable_nb.capsule"
VERSION = 1
MANIFEST, DEFINITIONS = "manifest.json", "definitions.json"
HISTORY, RUN, OUTPUT = "history.json", "run.json", "output.json"
"""Entries in the folder of a run; the last one may be missing."""

NAMES = re.compile(r"runs/[0-9]{1,9}/(history|run|output)\.json|blobs/[0-9a-f]{64}|definitions\.json|manifest\.json")


class Entry(msgspec.Struct, frozen=True):
    """What the manifest says of an entry."""

    sha256: str
    size: int


class RunSummary(msgspec.Struct, frozen=True):
    """What the manifest says of a run, for people and programs that only look."""

    folder: str
    workflow_id: str
    run_id: str
    workflow_type: str
    status: str
    events: int


class Manifest(msgspec.Struct, frozen=True):
    format: str
    version: int
    created_at: str = ""
    created_at_us: int = 0
    runs: list[RunSummary] = []
    entries: dict[str, Entry] = {}


class Head(msgspec.Struct):
    """What of a manifest is read first: of another version the rest may have another form."""

    format: str
    version: int


class StoredRun(msgspec.Struct):
    """``run.json``."""

    run: RunRow
    attempts: list[AttemptRow] = []
    activities: list[ActivityRow] = []
    workflow_task: WorkflowTaskRow | None = None
    transfers: list[TransferRow] = []
