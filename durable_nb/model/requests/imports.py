"""Runs of other stores."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from durable_nb.model.records import AttemptRow, DefinitionRow, LoadedRun, OutputRow


class ImportedRun(msgspec.Struct):
    """A run as another store held it. ``as_of``: when it was read there, microseconds since the epoch."""

    loaded: LoadedRun
    attempts: list[AttemptRow] = []
    as_of: int = 0
    outputs: list[OutputRow] = []


class ImportRuns(msgspec.Struct):
    """Runs of other stores, to be written together or not at all.

    Closed runs are copied as they are, under their own run ID. An open one goes on here with ``resume``, else its copy
    ends with WorkflowExecutionTerminated; either way it gets a new run ID, for the original may go on elsewhere, and
    the open runs of the import that name it follow.

    ``runs`` may be gone through twice, one run in memory at a time, so it may read them from a file. ``open_runs``:
    run IDs of those that are open.
    """

    namespace: str
    runs: Collection[ImportedRun]
    definitions: list[DefinitionRow] = []
    resume: bool = False
    open_runs: list[str] = []


class ImportOutcome(msgspec.Struct):
    """What became of a run: ``copied``, ``present`` (it was here already), ``resumed`` or ``terminated``."""

    workflow_id: str
    workflow_type: str
    run_id: str
    original_run_id: str
    outcome: str
