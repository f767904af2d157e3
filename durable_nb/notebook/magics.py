"""``%workflow``: the line magic, and the cell magic that only tells about the cell form. Parse, call, display.

Each command is sugar for a call of ``client``; it runs on the engine's loop while the main thread waits, so it works
in any cell, needs no ``await`` and can be interrupted. What it returns shows itself and holds its value in ``.value``.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from durable_nb.errors import NotebookError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import ListWorkflows, ReadHistory, ResetWorkflow, Target
from durable_nb.notebook.blocks import Fields, Message, Title
from durable_nb.notebook.commands import SUBCOMMANDS, HelpShown, completions, did_you_mean, parse_line
from durable_nb.notebook.display import View, now_us, read_run
from durable_nb.notebook.histories import history_blocks
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.views import definitions_blocks, list_blocks, run_blocks
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

_RECENT = 500
"""Runs whose IDs are compared for "did you mean" and completion."""

_COMPLETION_PATIENCE = 0.3
"""Seconds that completion may wait for the engine."""


@magics_class
class WorkflowMagics(Magics):
    """The magics of one session."""

    shell: Any

    def __init__(self, shell: Any, session: NotebookSession) -> None:
        super().__init__(shell)
        self.session = session

    @no_var_expand
    @line_magic
    def workflow(self, line: str) -> Any:
        """Start, watch and steer workflows: ``%workflow COMMAND …``.

        Commands: list, show, history, start, result, signal, query, update, cancel, terminate, reset, definitions.
        ``%workflow --help`` lists them, ``%workflow COMMAND --help`` tells about one. Examples::

            %workflow list --status Running
            %workflow start OrderWorkflow --id order-1 --input '{"item": "book", "count": 2}'
            %workflow start OrderWorkflow --id order-2 --input {order}
            %workflow show order-1
            %workflow signal order-1 approve --input true
            %workflow cancel order-1 --reason "out of stock"

        ``--input`` takes JSON, or ``{name}`` for a Python variable; repeat it for several arguments. The value of a
        command shows itself; assigned (``runs = %workflow list``) it holds the data in ``.value``.

        As a cell magic, ``%%workflow`` marks a cell with definitions: see ``%%workflow?``.
        """
        try:
            options = parse_line(line, self.shell.user_ns)
        except HelpShown as shown:
            print(str(shown))  # noqa: T201 - help goes to the cell
            return None
        return getattr(self, f"_{options.command}")(options)

    @cell_magic("workflow")  # type: ignore[arg-type]
    def workflow_cell(self, line: str, cell: str) -> None:
        """Define workflows and activities in this cell: ``%%workflow`` on its first line.

        The cell stays an ordinary cell: top-level ``await``, line numbers, tracebacks and completion are those of any
        other. On top of that, what it defines by ``@workflow.defn`` and ``@activity.defn`` is registered on the
        notebook's worker, its source is stored with the runs that use it, and workflow code is checked for clocks,
        randomness, I/O and threads, which break replay. Options:

        ``--strict``
            refuse a workflow that has such lines, instead of warning. ``# noqa: DNB120`` accepts one line.
        """
        # Cells never come here, the input transformer takes them first; only run_cell_magic() does.
        self.shell.run_cell(f"%%workflow {line}\n{cell}").raise_error()

    # -- looking ---------------------------------------------------------------------------------------------------

    def _list(self, options: argparse.Namespace) -> View:
        query = options.query
        for field, value in (("WorkflowType", options.type), ("ExecutionStatus", _status(options.status))):
            if value:
                query += f"{' AND ' if query else ''}{field} = '{_quoted(value)}'"

        async def collect() -> list[Any]:
            found = self.session.client.list_workflows(query or None, limit=options.limit)
            return [execution async for execution in found]

        executions = self.session.run(collect())
        return View(list_blocks([found.raw_info for found in executions], limit=options.limit), executions)

    def _show(self, options: argparse.Namespace) -> View:
        run, attempts, events = self._ask(options.id, read_run(self.session.engine.frontend, self._target(options)))
        task = run.pending_workflow_task
        missing = task is not None and task.waits_for_definition
        note = self.session.definition_note(run.workflow_type) if missing else ""
        return View(
            run_blocks(run, attempts, events, now=now_us(), definition_note=note, cell_of=self.session.cell_of), run
        )

    def _history(self, options: argparse.Namespace) -> Any:
        if options.json:
            handle = self.session.client.get_workflow_handle(options.id, run_id=options.run_id or None)
            return self._ask(options.id, handle.fetch_history()).to_json()
        page = self._ask(options.id, self.session.ask("read_history", ReadHistory(self._target(options))))
        return View(history_blocks(page.events, workflow_id=options.id, limit=options.limit), page.events)

    def _definitions(self, options: argparse.Namespace) -> View:
        known = list(self.session.capture.known.values())
        return View(definitions_blocks([(c.kind, c.name, c.origin) for c in known]), known)

    # -- doing -----------------------------------------------------------------------------------------------------

    def _start(self, options: argparse.Namespace) -> Any:
        types = self.session.types()
        if options.type not in types and not options.task_queue:
            fix = f"this notebook runs {', '.join(types)}" if types else "run the %%workflow cell that defines it"
            raise NotebookError(
                f"there is no workflow {options.type!r} here" + did_you_mean(options.type, types),
                fix=f"{fix}; for a worker elsewhere give its --task-queue",
            )
        queue = {"task_queue": options.task_queue} if options.task_queue else {}
        ident = options.id or f"{options.type}-{uuid.uuid4().hex[:8]}"
        client: Any = self.session.client
        return self.session.run(client.start_workflow(options.type, args=options.inputs, id=ident, **queue))

    def _result(self, options: argparse.Namespace) -> Any:
        return self._ask(options.id, self._handle(options).result())

    def _signal(self, options: argparse.Namespace) -> View:
        self._ask(options.id, self._handle(options).signal(options.name, args=options.inputs))
        return self._done(f"signal {options.name} was recorded in", options)

    def _query(self, options: argparse.Namespace) -> Any:
        return self._ask(options.id, self._handle(options).query(options.name, args=options.inputs))

    def _update(self, options: argparse.Namespace) -> Any:
        return self._ask(options.id, self._handle(options).execute_update(options.name, args=options.inputs))

    def _cancel(self, options: argparse.Namespace) -> View:
        self._ask(options.id, self._handle(options).cancel(reason=options.reason))
        return self._done("cancellation was requested of", options)

    def _terminate(self, options: argparse.Namespace) -> View:
        self._ask(options.id, self._handle(options).terminate(reason=options.reason or None))
        return self._done("terminated", options)

    def _reset(self, options: argparse.Namespace) -> View:
        request = ResetWorkflow(
            self._target(options), options.event_id, options.reason, identity=self.session.client.identity
        )
        run_id = self._ask(options.id, self.session.ask("reset_workflow", request))
        return View([Title("reset", safe_text(options.id)), Fields([("new run ID", safe_text(run_id))])], run_id)

    def _done(self, what: str, options: argparse.Namespace) -> View:
        return View([Message(f"{safe_text(what)} {safe_text(options.id)}")])

    # -- asking ----------------------------------------------------------------------------------------------------

    def _target(self, options: argparse.Namespace) -> Target:
        return Target(self.session.client.namespace, options.id, options.run_id)

    def _handle(self, options: argparse.Namespace) -> Any:
        return self.session.client.get_workflow_handle(options.id, run_id=options.run_id or None)

    def _ask(self, workflow_id: str, request: Coroutine[Any, Any, Any]) -> Any:
        """The answer; where there is no such workflow, an error with the IDs that look like it."""
        try:
            return self.session.run(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            known = self._ids()
            guess = did_you_mean(workflow_id, known)
            if workflow_id in known or not guess:
                raise  # it exists but is closed, or nothing looks like it
            raise NotebookError(
                f"there is no workflow {workflow_id!r}{guess}", fix="%workflow list shows the runs"
            ) from error

    def _ids(self, timeout: float = 2.0) -> list[str]:
        query = ListWorkflows(self.session.client.namespace, limit=_RECENT)
        try:
            runs = self.session.run(self.session.ask("list_workflows", query), timeout)
        except TimeoutError:
            return []
        return list(dict.fromkeys(run.workflow_id for run in runs))

    def complete(self, shell: Any, event: Any) -> list[str]:
        """Completer of ``%workflow``: commands, workflow IDs, types, options."""
        line = event.line[: event.line.rfind(event.symbol) + len(event.symbol)] if event.symbol else event.line
        ids: Callable[[], list[str]] = lambda: self._ids(_COMPLETION_PATIENCE)  # noqa: E731
        try:
            return completions(line.lstrip(), ids, self.session.types)
        except Exception:  # completion is a courtesy and must not break typing
            return list(SUBCOMMANDS)


def _quoted(text: str) -> str:
    """Inside of a quoted text of the query language."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _status(word: str) -> str:
    """``TimedOut`` for ``timed_out`` or ``TIMEDOUT``; other words as they are, for the filter to refuse."""
    known = {status.name.replace("_", ""): status.name for status in WorkflowExecutionStatus}
    name = known.get(word.upper().replace("_", ""))
    return "".join(part.capitalize() for part in name.split("_")) if name else word
