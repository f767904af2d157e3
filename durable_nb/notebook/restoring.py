"""Definitions from the store: which ones open runs wait for, which may run by themselves, and running them.

A row of a store is data. It becomes code here in two ways only: by itself where it bears this user's signature
(``trust``), or on the user's word, given after the source was shown. What was tampered with runs in neither.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, NamedTuple

from durable_nb.errors import RestoreError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.capture import activity_types_of, definitions_in
from durable_nb.notebook.names import FunctionNode
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.trust import Signer, Verdict
from durable_nb.notebook.units import LoadedUnit, load_unit, title_of
from durable_nb.notebook.versions import DYNAMIC, Version, VersionKeeper
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.worker._past import Made

if TYPE_CHECKING:
    from collections.abc import Callable

    from durable_nb.engine import EngineHandle
    from durable_nb.notebook.editing import OpenRuns
    from durable_nb.worker._embedded import EmbeddedWorker

_CALLS = frozenset({"execute_activity", "start_activity", "execute_local_activity", "start_local_activity"})
_LOST = re.compile(r"^# (\w+): (.*), which cannot be made again from source$", re.MULTILINE)


class Wanted(NamedTuple):
    """A stored definition that open runs need and this kernel lacks. ``runs`` is their number, 0 for an activity."""

    row: DefinitionRow
    runs: int
    verdict: Verdict


class Restorer:
    """See the module. ``restored`` and ``refused`` hold what became of rows in this kernel."""

    def __init__(
        self,
        engine: EngineHandle,
        worker: EmbeddedWorker,
        keeper: VersionKeeper,
        open_runs: OpenRuns,
        signer: Signer,
        settle: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._keeper = keeper
        self._open_runs = open_runs
        self._signer = signer
        self._settle = settle
        self.restored: list[DefinitionRow] = []
        self.refused: list[tuple[DefinitionRow, str]] = []
        self._allowed: set[str] = set()
        """Digests of what was run on the user's word."""
        self._referred: dict[str, None] = {}
        """Activity types that restored workflows refer to."""

    # -- what is wanted --------------------------------------------------------------------------------------------

    def wanted(self) -> list[Wanted]:
        """Stored workflow definitions that open runs are pinned to and that are not here, by type, oldest first."""
        found: dict[str, Wanted] = {}
        for (name, digest), count in self._open_runs.counts().items():
            if self._keeper.holds(name, digest):
                continue
            row = self.stored("workflow", name, digest)
            if row is None:
                continue
            # A row under another name was put in the place of the one that the runs are pinned to.
            same = row.kind == "workflow" and row.name in (name, DYNAMIC)
            verdict = self._signer.judge(row) if same else Verdict.TAMPERED
            before = found.get(row.digest)  # of another type, where the row is of a dynamic workflow
            found[row.digest] = Wanted(row, count + (before.runs if before is not None else 0), verdict)
        return sorted(found.values(), key=lambda wanted: (wanted.row.name, wanted.row.created_at))

    def stored(self, kind: str, name: str, digest: str = "") -> DefinitionRow | None:
        """A stored version, or the latest of its name; those of the last cells too."""
        self._settle()
        store = self._engine.store
        if not digest:
            latest: DefinitionRow | None = self._engine.run_blocking(store.latest_definition, kind, name)
            return latest
        row: DefinitionRow | None = self._engine.run_blocking(store.get_definition, digest)
        return row

    def judge(self, row: DefinitionRow) -> Verdict:
        """Whose a row is."""
        return self._signer.judge(row)

    # -- running it ------------------------------------------------------------------------------------------------

    def restore_signed(self) -> None:
        """Run what open runs need, as far as this user signed it; tampered rows are noted as refused."""
        self.restored, self.refused = [], []
        wanted = self.wanted()
        for each in wanted:
            if each.verdict is Verdict.TAMPERED:
                self.refused.append((each.row, each.verdict.value))
            elif each.verdict.may_run:
                self._try(each.row, current=self._is_latest(each, wanted))
        dynamic = self.stored("activity", DYNAMIC)
        needed = [self.stored("activity", name) or dynamic for name in self._activities_needed()]
        for row in {row.digest: row for row in needed if row is not None}.values():
            verdict = self._signer.judge(row)
            if verdict.may_run:
                self._try(row, current=True)
            else:  # its workflow goes on without it
                self.refused.append((row, f"{verdict.value}; {_how(row)}"))

    def restore(self, row: DefinitionRow) -> None:
        """Run a definition on the user's word.

        Raises
        ------
        RestoreError
            DNB111: it was tampered with, needs state that died with its kernel, or failed.
        """
        verdict = self._signer.judge(row)
        if not verdict.may_be_allowed:
            raise RestoreError(
                f"{row.kind} {title_of(row.name)} (version {row.digest[:8]}) was {verdict.value}; it is not run",
                where=row.origin,
                fix="run the cell that defines it, or take the store from a place that you trust",
            )
        self._load(row, current=self._keeper.current.get(row.name) is None)
        self.restored.append(row)
        self._allowed.add(row.digest)

    def make_past(self, workflow_type: str, digest: str) -> Made:
        """Code that is not served, to look back at runs that closed on it; on any thread.

        Raises
        ------
        RestoreError
            DNB111: it is not stored, must not run by itself, needs state that died with its kernel, or failed.
        """
        row = self.stored("workflow", workflow_type, digest)
        if row is None:
            raise RestoreError("its source is not stored")
        same = row.kind == "workflow" and row.name in (workflow_type, DYNAMIC)
        verdict = self._signer.judge(row) if same else Verdict.TAMPERED
        if not (verdict.may_run or (verdict.may_be_allowed and digest in self._allowed)):
            raise RestoreError(f"its stored source is {verdict.value}")
        loaded = self._run(row)
        return Made(WorkflowDefinition.must_from_class(loaded.definition), loaded.drop)

    def activities_of(self, row: DefinitionRow) -> list[DefinitionRow]:
        """Stored activities that a workflow refers to and that are not here."""
        names = [name for name in activity_types_in(row.source) if not self._worker.port.executor.serves(name)]
        return [each for name in names if (each := self.stored("activity", name)) is not None]

    def _is_latest(self, each: Wanted, wanted: list[Wanted]) -> bool:
        if self._keeper.current.get(each.row.name) is not None and each.row.name not in {
            row.name for row in self.restored
        }:
            return False  # a cell defined it already
        allowed = [other.row for other in wanted if other.row.name == each.row.name and other.verdict.may_run]
        return each.row is max(allowed, key=lambda row: row.created_at)

    def _try(self, row: DefinitionRow, *, current: bool) -> None:
        try:
            self._load(row, current=current)
        except Exception as error:  # whatever is wrong with one must not stop the others, nor %load_ext
            why = error.message if isinstance(error, RestoreError) else f"{type(error).__name__}: {error}"
            self.refused.append((row, f"{why}; {_how(row)}"))
        else:
            self.restored.append(row)

    def _run(self, row: DefinitionRow) -> LoadedUnit:
        lost = _LOST.findall(row.source)
        if lost:
            what = "; ".join(f"{name} was a {kind}" for name, kind in lost)
            title = title_of(row.name)
            raise RestoreError(
                f"{row.kind} {title} cannot be restored from its source alone: {what}, which died with its kernel",
                where=row.origin,
                fix=_how(row),
            )
        return load_unit(row.source, row.kind, row.name, row.digest, definitions_in)

    def _load(self, row: DefinitionRow, *, current: bool) -> None:
        loaded = self._run(row)
        if row.kind == "workflow":
            version = Version(row.name, row.digest, loaded.definition, None, loaded)
            self._keeper.restore(version, current=current)
            called = [*activity_types_of(vars(loaded.module).values()), *activity_types_in(row.source)]
            self._referred |= dict.fromkeys(called)
        else:
            self._worker.register_activity(loaded.definition)

    def _activities_needed(self) -> list[str]:
        """Activity types that restored workflows refer to, or that wait in the store, and that are not here."""
        names = dict(self._referred)
        if self.restored:
            now = self._engine.clock.now()
            waiting = self._engine.run_blocking(self._engine.store.ready_activities, now, [], 500)
            names |= dict.fromkeys(task.type_name for task in waiting)
        return [name for name in names if name and not self._worker.port.executor.serves(name)]

    # -- what is said ----------------------------------------------------------------------------------------------

    def blocks(self) -> list[Block]:
        """What ``restore_signed`` did, in words."""
        blocks: list[Block] = []
        if self.restored:
            names = ", ".join(dict.fromkeys(safe_text(title_of(row.name), 80) for row in self.restored))
            count = len({(row.kind, row.name) for row in self.restored})
            text = (
                f"{names} {'was' if count == 1 else 'were'} restored from the store, where "
                f"{'it bears' if count == 1 else 'they bear'} your signature; a cell that defines "
                f"{'it' if count == 1 else 'one of them'} takes over"
            )
            blocks.append(Message(text))
        for row, why in self.refused:
            title = f"{row.kind} {safe_text(title_of(row.name), 80)} (version {row.digest[:8]}) was not restored"
            blocks.append(Message(safe_text(why, 400), "bad", title))
        return blocks

    def waiting_lines(self) -> list[str]:
        """Runs that wait for code which is stored but not trusted: how to look at it and run it."""
        found = [each for each in self.wanted() if each.verdict.may_be_allowed and not each.verdict.may_run]
        types = dict.fromkeys(title_of(each.row.name) for each in found)
        return [f"  or look at its stored code: %workflow restore {safe_text(name, 80)}" for name in types]


def _how(row: DefinitionRow) -> str:
    """What to do where source alone is not enough."""
    return f"run {row.origin}" if row.origin else "run the cell that defines it"


def activity_types_in(source: str) -> list[str]:
    """Types of the activities that a unit refers to: what is decorated with ``….defn`` and has no body.

    Of a class that is decorated, the body is that of its ``__call__``. And those that are called by their name alone.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            names += _named_in(node)
        if not isinstance(node, FunctionNode | ast.ClassDef) or not _is_empty(node):
            continue
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            word = call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ""
            if word == "defn":
                names.append(_name_in(decorator) or node.name)
    return list(dict.fromkeys(names))


def _named_in(call: ast.Call) -> list[str]:
    """``["charge"]`` for ``workflow.execute_activity("charge", …)``."""
    word = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    by_name = word in _CALLS and isinstance(first, ast.Constant) and isinstance(first.value, str)
    return [first.value] if by_name else []  # type: ignore[union-attr]


def _is_empty(node: FunctionNode | ast.ClassDef) -> bool:
    if isinstance(node, ast.ClassDef):
        return any(isinstance(each, FunctionNode) and each.name == "__call__" and _is_empty(each) for each in node.body)
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value is ...


def _name_in(decorator: ast.expr) -> str:
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""
