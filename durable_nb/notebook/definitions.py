"""The notebook's definitions as versions: made by cells, edited, judged, served, stored, signed, restored.

``Capture`` notices a definition and asks here for its unit and for its registration. A cell goes through three calls:
``before_cell`` freezes what the cell is about to change, ``take`` serves a new version as soon as its statement has run
and judges the open runs, ``after_cell`` looks at what changed without a new definition (a helper, a constant) and lets
go of what nobody needs. Invariant: open runs change their code only by ``OpenRuns.move``.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from durable_nb.errors import AuthoringError, DefinitionSourceError, DurableError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.activity_sources import ActivitySources
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.capture import definitions_in
from durable_nb.notebook.display import View, now_us
from durable_nb.notebook.edit_views import EditReport, lost_block, newest, reason, report_blocks
from durable_nb.notebook.editing import CONTINUE, FAIL, MAX_RUNS, PIN, OpenRuns, Verdicts
from durable_nb.notebook.progress_line import ProgressLine
from durable_nb.notebook.restoring import Restorer
from durable_nb.notebook.sources import Located, locate
from durable_nb.notebook.text import CellNamer, safe_text
from durable_nb.notebook.trust import Signer
from durable_nb.notebook.units import CellStatements, FileStatements, Statements, Unit, build_unit, title_of
from durable_nb.notebook.units.statements import Statement
from durable_nb.notebook.versions import Version, VersionKeeper
from durable_nb.worker._past import PastCode

if TYPE_CHECKING:
    from durable_nb.engine import EngineHandle
    from durable_nb.worker._embedded import EmbeddedWorker

logger = logging.getLogger("durable_nb.notebook")


class Definitions:
    """See the module.

    Parameters
    ----------
    run
        Waits for a coroutine on the engine's loop.
    show
        Puts a view under the current cell.
    progress
        Shows how far a judgement is.
    cell_of
        Names cells in messages.
    disk
        Where rows are written, in order, without making a cell wait.
    signer
        Jupyter's trust secret unless a test has its own.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any],
        engine: EngineHandle,
        worker: EmbeddedWorker,
        run: Callable[[Any], Any],
        *,
        show: Callable[[View], None],
        progress: ProgressLine,
        disk: Executor,
        cell_of: CellNamer | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._namespace = namespace
        self._engine = engine
        self._worker = worker
        self.show = show
        self._progress = progress
        self._disk = disk
        self._writing: Future[None] | None = None
        """The last order to the disk, which comes after all others."""
        self._cell_of = cell_of
        self._signer = signer or Signer()
        self.statements = CellStatements()
        self.keeper = VersionKeeper(worker, definitions_in)
        self.open_runs = OpenRuns(engine, worker, self.keeper, run)
        self.restorer = Restorer(engine, worker, self.keeper, self.open_runs, self._signer, self.settle)
        self.activities = ActivitySources(namespace, self.statements, self)
        self.mode = CONTINUE
        self.bound: dict[str, Statement] = {}
        """What the cell binds at its top level."""
        self._exposed: list[tuple[Version, str]] = []
        """Versions with open runs that this cell may change and that could not be frozen, and why."""
        self._before: dict[str, Any] = {}
        """What the names that the cell binds were bound to when it began."""
        self._later: frozenset[str] = frozenset()
        self._unsettled: set[str] = set()
        self._origins: dict[tuple[str, str], str] = {}
        self._told_unsigned = False
        self._told_lost: set[str] = set()
        self.reported: set[str] = set()
        """Workflow types whose open runs a report of this cell spoke of."""
        self._sweeping = threading.Lock()
        worker.port.on_version_left = self._version_left
        worker.port.past = PastCode(self.restorer.make_past)

    # -- a cell ----------------------------------------------------------------------------------------------------

    def before_cell(self, text: str, mode: str = CONTINUE, cell: str = "") -> None:
        """A cell is about to run: freeze the versions whose names it binds and that open runs use."""
        self.mode = mode
        self.reported = set()
        self._later = frozenset()
        self._exposed.clear()
        self.bound = self.statements.add(text, cell)
        self._before = {name: self._namespace.get(name, _NOTHING) for name in self.bound}
        if not self.bound:
            return
        for version in list(self.keeper.current.values()):
            if version.uses_any(self.bound) and self._is_used(version):
                problem = self.keeper.freeze(version)
                if problem:
                    self._exposed.append((version, problem))

    def _is_used(self, version: Version) -> bool:
        try:
            return self.open_runs.uses(version.name, version.digest)
        except DurableError:
            return True  # nobody can tell: then it is kept

    def at_line(self, last_line: int) -> None:
        """The statement that ends here has just run: what the cell binds further down is still to come."""
        self._later = frozenset(name for name, found in self.bound.items() if found.node.lineno > last_line)

    def after_cell(self, *, failed: bool = False) -> None:
        """The cell is over: judge what could not be judged in its middle, and what changed under a definition."""
        self._later = frozenset()
        if failed:  # where it stopped, the statements below bound nothing: what they say is not what is
            values = self._namespace
            self.statements.forget([name for name, was in self._before.items() if values.get(name, _NOTHING) is was])
        self._tell_of_exposed()
        for version in list(self.keeper.current.values()):
            if version.is_changed(self.namespace_of(version.definition)) or version.name in self._unsettled:
                self._renew(version)
            else:
                self.keeper.thaw(version)
        self.activities.renew()
        self._unsettled.clear()
        self.sweep()

    def _tell_of_exposed(self) -> None:
        for version, problem in self._exposed:
            if version.is_changed(self.namespace_of(version.definition)):
                name = safe_text(title_of(version.name), 80)
                text = (
                    f"open runs of {name} see what this cell changed, as their code of before cannot run by itself: "
                    + safe_text(problem, 300)
                )
                self.show(View([Message(text, "warn")]))

    def _renew(self, version: Version) -> None:
        """Something that a definition uses is another now: that makes another version of the same object."""
        try:
            located = locate(version.definition)
        except DefinitionSourceError:
            return
        unit = self.unit_of(version.definition, located, "workflow")
        if unit is None or unit.digest == version.digest:
            version.unit = unit or version.unit
            self.keeper.thaw(version)
            if version.name in self._unsettled:
                self._settle(version)
            return
        origin = self.origin_of("workflow", version.name)
        self.store([DefinitionRow(unit.digest, version.name, "workflow", unit.text, origin, now_us())])
        renewed = Version(version.name, unit.digest, version.definition, unit)
        try:
            self._serve(renewed)
        except AuthoringError as error:
            self.show(View([Message(safe_text(error, 1000, keep_lines=True), "bad")]))

    # -- registration ----------------------------------------------------------------------------------------------

    def unit_of(self, definition: Any, located: Located, kind: str) -> Unit | None:
        """The unit of a definition; None where it cannot be made, which leaves its own source as its version."""
        try:
            namespace = self.namespace_of(definition)
            statements: Statements = (
                self.statements if namespace is self._namespace else FileStatements(located.filename)
            )
            unit = build_unit(located, definition, namespace, statements, stubs=kind == "workflow")
        except Exception:  # source that only Python itself understands; the definition works, and has its own text
            return None
        if kind == "activity":
            self.activities.keep(definition, unit)
        return unit

    def namespace_of(self, definition: Any) -> Mapping[str, Any]:
        """Globals of the module that a definition was written in."""
        module = getattr(definition, "__module__", "")
        if module == self._namespace.get("__name__"):
            return self._namespace
        found = sys.modules.get(module)
        return self._namespace if found is None else vars(found)

    def take(self, definition: Any, name: str, digest: str, unit: Unit | None) -> None:
        """Serve a workflow from now on, and decide about the open runs of its type.

        Raises
        ------
        AuthoringError
            DNB100: ``--on-edit fail``, and some runs would have to stay; nothing has changed.
        """
        self._serve(Version(name, digest, definition, unit))

    def _serve(self, version: Version) -> None:
        deferred = version.unit is not None and version.uses_any(self._later - {version.definition.__name__})
        if deferred:
            if self.mode == FAIL:
                names = ", ".join(sorted(name for name in self._later if version.uses_any([name])))
                raise AuthoringError(
                    f"{title_of(version.name)} was not registered: --on-edit fail needs everything that it uses "
                    "above it",
                    fix=f"move {names} above {version.definition.__name__} in the cell",
                )
            self._unsettled.add(version.name)
            self.keeper.take(version)
            return
        if self.mode == FAIL:
            self._refuse_if_any_stays(version)
        self.keeper.take(version)
        self._settle(version)

    def _refuse_if_any_stays(self, version: Version) -> None:
        runs = self.open_runs.on_other_versions(version.name, version.digest)
        verdicts = self._judge(version, runs)
        left = len(verdicts.stay) + len(verdicts.unjudged)
        if left:
            why = f"\n  {reason(verdicts.stay[0], self._cell_of)}" if verdicts.stay else ""
            problem = f"{left:,} of {len(runs):,} open runs would have to stay on their code{why}"
        elif len(runs) == MAX_RUNS:
            problem = f"at least {MAX_RUNS:,} runs are open, and not all of them can be judged"
        else:
            return
        raise AuthoringError(
            f"{title_of(version.name)} was not registered: {problem}",
            fix="change it so that they agree, or leave out --on-edit fail; the old definition is still in service",
        )

    def _settle(self, version: Version) -> None:
        """Judge the open runs on other versions, move those that agree, and report."""
        if not version.digest:
            return
        counts = self.open_runs.counts(version.name)
        if not any(digest != version.digest and count for (_, digest), count in counts.items()):
            return
        runs = self.open_runs.on_other_versions(version.name, version.digest)
        if not runs:
            return
        title = title_of(version.name)
        if self.mode == PIN:
            report = EditReport(title, version.digest, [], [], [], len(runs))
        else:
            verdicts = self._judge(version, runs)
            moved = self.open_runs.move(version.definition, version.digest, verdicts.agree)
            stay = [*verdicts.stay, *moved.stay]
            report = EditReport(
                title, version.digest, moved.continued, stay, [*verdicts.unjudged, *moved.busy],
                old_source=self._source_of(version.name, newest(stay)),
                new_source=version.unit.text if version.unit else "",
                missing=frozenset(
                    tried.run.definition
                    for tried in stay
                    if not self.keeper.holds(tried.run.workflow_type, tried.run.definition)
                ),
                only_newest=MAX_RUNS if len(runs) == MAX_RUNS else 0,
            )  # fmt: skip
        self.reported |= {row.workflow_type for row in runs}
        blocks = report_blocks(report, self._cell_of)
        if blocks:
            self.show(View(blocks, report))

    def _judge(self, version: Version, runs: list[Any]) -> Verdicts:
        with self._progress.of(f"replaying open runs of {title_of(version.name)}") as told:
            return self.open_runs.judge(version.definition, runs, told)

    def _source_of(self, name: str, digest: str) -> str:
        version = self.keeper.find(name, digest)
        if version is not None and version.unit is not None:
            return version.unit.text
        row = self.restorer.stored("workflow", name, digest) if digest else None
        return row.source if row is not None else ""

    # -- rows ------------------------------------------------------------------------------------------------------

    def store(self, rows: list[DefinitionRow]) -> None:
        """Sign sources and keep them, without making the cell wait for the disk."""
        self._origins |= {(row.kind, row.name): row.origin for row in rows}
        self._writing = self._disk.submit(self._write, rows)

    def settle(self) -> None:
        """Wait until the sources of the cells that ran are in the store, for who reads them there."""
        if self._writing is not None:
            self._writing.result()

    def origin_of(self, kind: str, name: str) -> str:
        """Where what has this kind and name was made last."""
        return self._origins.get((kind, name), "")

    def _write(self, rows: list[DefinitionRow]) -> None:
        try:
            for row in rows:
                row.signature = self._signer.sign(row)
            self._engine.run_blocking(self._engine.store.renew_definitions, rows)
        except Exception as error:  # nobody waits for this thread: what is not told here is never heard of
            logger.warning("definitions could not be stored: %s: %s", type(error).__name__, error)

    def notes(self) -> list[Block]:
        """What should be said once: that nothing can be signed, and which open runs need this kernel's own state."""
        blocks: list[Block] = []
        if self._signer.problem and not self._told_unsigned:
            self._told_unsigned = True
            text = (
                f"definitions are stored without your signature ({safe_text(self._signer.problem, 200)}): after a "
                "restart, runs wait for their cells or for %workflow restore"
            )
            blocks.append(Message(text, "warn"))
        for version in self.keeper.current.values():
            key = " ".join([version.name, *(version.unit.lost if version.unit is not None else ())])
            if version.unit is not None and version.unit.lost and key not in self._told_lost:
                self._told_lost.add(key)
                blocks.append(lost_block(title_of(version.name), version.unit.lost))
        return blocks

    # -- letting go ------------------------------------------------------------------------------------------------

    def _version_left(self, workflow_type: str, digest: str) -> None:
        """On the engine's loop: a run on an older version is closed. Look soon, once for many."""
        if self._sweeping.acquire(blocking=False):
            self._engine.loop.call_later(_SWEEP_SECONDS, self._sweep_now)

    def _sweep_now(self) -> None:
        self._sweeping.release()
        self._sweep_on_loop()

    def sweep(self) -> None:
        """Drop older versions that no open run is pinned to; their stored source stays, as history."""
        if self.keeper.older():
            # On the engine's loop, after what was registered: there no run can be about to begin on one of them.
            self._engine.engine.call_soon(self._sweep_on_loop)

    def _sweep_on_loop(self) -> None:
        older = self.keeper.older()
        if not older or self._engine.is_closed:
            return
        try:
            used = {digest for _, digest in self.open_runs.counts()}
        except DurableError:
            return  # another time
        used |= self._engine.engine.versions_in_memory()  # begun, and not stored yet
        for version in older:
            if version.digest not in used:
                self.keeper.forget(version.name, version.digest)


_SWEEP_SECONDS = 0.2
_NOTHING = object()
