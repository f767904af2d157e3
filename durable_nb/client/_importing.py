"""``import_capsule`` of clients: runs of other stores out of a file."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from durable_nb.model.records import LoadedRun
from durable_nb.model.requests import ImportedRun, ImportOutcome, ImportRuns

if TYPE_CHECKING:
    from durable_nb.analytics.exports.capsule import Capsule
    from durable_nb.client._client import Client


class ImportingClient:
    """Imports of a client."""

    async def import_capsule(
        self, path: str | os.PathLike[str], *, resume: bool = False, max_bytes: int | None = None
    ) -> Imported:
        """Copy the runs of a capsule into this client's namespace: all are checked, then all are written.

        They are never in memory together. A process that dies half way leaves copies of closed runs, which a second
        import finds here.

        Nothing that the capsule holds runs because of it; definitions are stored unsigned. Closed runs keep their run
        IDs, and those that are here already are passed over. An open run gets a new run ID, for the original may go on
        elsewhere: without ``resume`` its copy is terminated where the original stood, so that it can be looked at and
        replayed. What open runs say of each other follows the new run IDs; closed runs keep every byte.

        Parameters
        ----------
        resume
            Go on with open runs here. An activity attempt that was running is repeated: it counts as lost.
        max_bytes
            What the capsule may hold when unpacked; None for 2 GiB.

        Raises
        ------
        CapsuleError
            DNB406: no capsule, damaged, changed, of a newer version, or it does not fit this store. Nothing changed.
        """
        client: Client = self  # type: ignore[assignment]

        def read() -> Capsule:
            # Only those who import need them.
            from pathlib import Path  # noqa: PLC0415

            from durable_nb.analytics import exports  # noqa: PLC0415

            limit = {} if max_bytes is None else {"max_bytes": max_bytes}
            return exports.open_capsule(Path(path), **limit)

        capsule = await asyncio.to_thread(read)
        request = ImportRuns(
            client.namespace, _ImportedRuns(capsule), capsule.definitions, resume, open_runs=capsule.open_runs
        )
        return Imported(await client.frontend.import_runs(request))


class _ImportedRuns(Collection[ImportedRun]):
    """The runs of a capsule as the engine takes them, read when they are gone through."""

    def __init__(self, capsule: Capsule) -> None:
        self._runs = capsule.runs
        self._made_at = capsule.manifest.created_at_us

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, given: object) -> bool:
        return any(run == given for run in self)

    def __iter__(self) -> Iterator[ImportedRun]:
        for record in self._runs:
            loaded = LoadedRun(
                record.run, list(record.events), list(record.activities), record.workflow_task, list(record.transfers)
            )
            as_of = max(self._made_at, record.events[-1].event_time)
            yield ImportedRun(loaded, list(record.attempts), as_of, list(record.outputs))


class Imported(Sequence[ImportOutcome]):
    """What became of the runs of a capsule, in its order."""

    def __init__(self, outcomes: Sequence[ImportOutcome]) -> None:
        self._outcomes = list(outcomes)

    @overload
    def __getitem__(self, index: int) -> ImportOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[ImportOutcome]: ...
    def __getitem__(self, index: int | slice) -> ImportOutcome | list[ImportOutcome]:
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __repr__(self) -> str:
        counts = Counter(outcome.outcome for outcome in self)
        return f"<Imported {', '.join(f'{count:,} {word}' for word, count in counts.items()) or 'nothing'}>"
