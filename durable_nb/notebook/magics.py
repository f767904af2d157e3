"""``%workflow``: the line magic, and the cell magic that only tells about the cell form. Parse, call, display.

Each command is sugar for a call of ``client``; it runs on the engine's loop while the main thread waits, so it works
in any cell, needs no ``await`` and can be interrupted. What it returns shows itself and holds its value in ``.value``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from durable_nb.notebook.commands import HelpShown, parse_line

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


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

        Look at runs: list, show, history, timeline, at, compare, stats. Talk to them: start, result, signal, query,
        update, cancel, terminate, reset, fork, retry. The rest: delete, definitions, restore, export, import, connect.
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
            command, options = parse_line(line, self.shell.user_ns)
        except HelpShown as shown:
            print(str(shown))  # noqa: T201 - help goes to the cell
            return None
        return command.run(self.session, options)

    @cell_magic("workflow")  # type: ignore[arg-type]
    def workflow_cell(self, line: str, cell: str) -> None:
        """Define workflows and activities in this cell: ``%%workflow`` on its first line.

        The cell stays an ordinary cell: top-level ``await``, line numbers, tracebacks and completion are those of any
        other. On top of that, what it defines by ``@workflow.defn`` and ``@activity.defn`` is registered on the
        notebook's worker, its source is stored with the runs that use it, and workflow code is checked for clocks,
        randomness, I/O and threads, which break replay. Options:

        ``--strict``
            refuse a workflow that has such lines, instead of warning. ``# noqa: DNB120`` accepts one line.
        ``--on-edit continue``
            what becomes of open runs when their code was edited, and the default: their histories are replayed on
            the new code, which writes nothing; those that agree go on on it, the others stay on the code that they
            started with, and the cell says which, and where they would part. A run whose code was failing goes on
            on the new code at once.
        ``--on-edit pin``
            all open runs stay on the code that they started with.
        ``--on-edit fail``
            refuse the new definition if any open run would have to stay; then nothing changes.

        New runs start on the new code. ``%workflow definitions`` shows the versions and their runs.
        """
        # Cells never come here, the input transformer takes them first; only run_cell_magic() does.
        self.shell.run_cell(f"%%workflow {line}\n{cell}").raise_error()
