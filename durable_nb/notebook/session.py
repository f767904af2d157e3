"""One notebook at work: its shell, its store and engine, its client, its worker and its definitions.

The session is what the transformed cells call (``get_ipython().durable_nb``) and what the magics ask. It owns nothing
that must survive: whatever matters is in the store before anybody is told. Invariant: the engine runs on its own
thread, so that nothing a cell does, blocks or is interrupted in, stops it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.errors import NotebookError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import DefinitionRow
from durable_nb.model.requests import ListWorkflows, RunDescription
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.bridge import run_on
from durable_nb.notebook.capture import Capture, Captured
from durable_nb.notebook.commands import did_you_mean, split_line
from durable_nb.notebook.display import View, handle_bundle, now_us
from durable_nb.notebook.notices import NoticeBoard
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.ticker import Ticker
from durable_nb.notebook.transformer import header_options

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.engine import EngineHandle
    from durable_nb.notebook.lint import Finding
    from durable_nb.worker._embedded import EmbeddedWorker

T = TypeVar("T")

QUICK = 2.0
"""Seconds that questions of courtesy (what is unfinished) may take."""

FINISHING = timedelta(hours=1)
"""What running activities get to finish after ``%unload_ext`` or ``%reload_ext``."""

_MANY = 1000


class NotebookSession:
    """See the module docstring."""

    def __init__(self, shell: Any, engine: EngineHandle, client: Client, worker: EmbeddedWorker) -> None:
        self.shell = shell
        self.engine = engine
        self.client = client
        self.worker = worker
        self.cell_of = namer = self.cell_namer(shell)
        self.capture = Capture(self, shell.user_ns, cell_of=namer, document=self.document, now=now_us)
        self._welcomed = threading.Event()
        self._waiting: dict[str, int] = {}
        self.notices = NoticeBoard(
            self._publish, time.monotonic, note=self.definition_note, cell_of=namer, wanted=self._is_news
        )
        self._ticker = Ticker(self.capture.scan)
        self._disk = ThreadPoolExecutor(1, "durable_nb definitions")
        self._listener: Callable[[Any], None] = self.notices.post
        engine.on_notice(self._listener)

    # -- asking the engine -----------------------------------------------------------------------------------------

    def run(self, request: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """The answer to a request, waited for on the main thread (``bridge.run_on``)."""
        return run_on(self.engine.loop, request, timeout)

    async def ask(self, verb: str, request: Any) -> Any:
        """A request to the engine's frontend, to be given to ``run``."""
        return await getattr(self.engine.frontend, verb)(request)

    # -- cells -----------------------------------------------------------------------------------------------------

    def begin_cell(self, options: str) -> None:
        """The header line of a ``%%workflow`` cell.

        Raises
        ------
        NotebookError
            DNB700: an unknown option.
        """
        words = split_line(options)
        known = ("--strict",)
        for word in words:
            if word not in known:
                raise NotebookError(
                    f"%%workflow does not know {word!r}" + did_you_mean(word, known),
                    fix="it takes --strict, or nothing",
                )
        self.capture.lints = True
        self.capture.strict = "--strict" in words

    def mark(self, first_line: int, last_line: int) -> Callable[[Any], Any]:
        """The decorator that ``marks`` puts around a definition."""
        filename = sys._getframe(1).f_code.co_filename

        def keep(definition: Any) -> Any:
            self.capture.made(definition, filename, first_line)
            return definition

        return keep

    def before_cell(self, info: Any) -> None:
        """IPython event ``pre_run_cell``."""
        self.capture.lints = self.capture.strict = False
        self._ticker.start()

    def after_cell(self, result: Any) -> None:
        """IPython event ``post_run_cell``: take in what the cell imported, and say what a ``%%workflow`` cell did."""
        self._ticker.stop()
        info = getattr(result, "info", None)
        options = header_options(getattr(info, "raw_cell", "") or "")
        self.capture.scan()
        fresh, findings = self.capture.take_fresh()
        for captured in fresh:
            self.notices.limiter.forget(captured.name)
        if options is not None and getattr(result, "error_before_exec", None) is None:
            blocks = cell_report(fresh, findings, failed=getattr(result, "error_in_exec", None) is not None)
            if blocks:
                self.show(View(blocks))
        for name, problem in self.capture.take_problems():
            text = f"{name} was not registered: {type(problem).__name__}: {problem}"
            self.show(View([Message(safe_text(text, 1000, keep_lines=True), "bad")]))
        self._tell_of_resumed({captured.name for captured in fresh if captured.kind == "workflow"})

    def show(self, view: View) -> None:
        """Put a view under the current cell."""
        self._publish(view._repr_mimebundle_())

    def _publish(self, data: dict[str, Any]) -> None:
        self.shell.display_pub.publish(data=data, metadata={})

    # -- registrar of ``capture`` ----------------------------------------------------------------------------------

    def add_workflow(self, definition: Any, digest: str) -> None:
        self.worker.register_workflow(definition, digest)

    def add_activity(self, definition: Any) -> None:
        self.worker.register_activity(definition)

    def store(self, rows: list[DefinitionRow]) -> None:
        """Keep sources, without making the cell wait for the disk."""
        engine = self.engine
        self._disk.submit(engine.run_blocking, engine.store.put_definitions, rows)

    # -- what is unfinished ----------------------------------------------------------------------------------------

    def unfinished(self, workflow_type: str = "") -> list[RunDescription]:
        """Open runs, newest first, at most a thousand."""
        running = [int(WorkflowExecutionStatus.RUNNING)]
        query = ListWorkflows(self.client.namespace, "", workflow_type, running, _MANY)
        return self.run(self.ask("list_workflows", query), QUICK)

    def welcome(self) -> list[Block]:
        """What ``%load_ext`` says: the store, and what was left unfinished and is (or is not) going on."""
        lines = [f"durable_nb: store {safe_text(self.engine.url)}"]
        try:
            runs = self.unfinished()
            served = set(self.types())
            self._waiting = dict(Counter(run.workflow_type for run in runs if run.workflow_type not in served))
        except TimeoutError:
            return [Message("\n".join([*lines, "the store is busy; %workflow list shows the runs"]))]
        finally:
            self._welcomed.set()
        if runs:
            lines += unfinished_lines(len(runs), self._waiting, self.definition_note)
        else:
            lines.append("no run is unfinished")
        return [Message("\n".join(lines))]

    def _is_news(self, notice: Any) -> bool:
        """Whether a notice says what the welcome did not."""
        if notice.kind != "definition_missing":
            return True
        self._welcomed.wait(10)
        return notice.workflow_type not in self._waiting

    def _tell_of_resumed(self, names: set[str]) -> None:
        """Say which runs of earlier kernels a definition that is new here brings back to life.

        Counted when the extension was loaded: by now they may be finished.
        """
        for name in sorted(names):
            count = self._waiting.pop(name, 0)
            if count:
                text = f"{plural(count, 'unfinished run')} of {safe_text(name, 80)} {_go(count)} on"
                self.show(View([Message(text, "good")]))

    def types(self) -> list[str]:
        """Workflow types that this notebook runs."""
        return sorted(name for kind, name in self.capture.known if kind == "workflow" and name)

    def definition_note(self, workflow_type: str) -> str:
        """Which cell defines a workflow type, from the stored source; what to do where none is stored."""
        store = self.engine.store
        row = self.engine.run_blocking(store.latest_definition, "workflow", workflow_type)
        if row is None or not row.origin:
            return "run the cell or import the module that defines it"
        return f"run {safe_text(row.origin)}"

    def handle_bundle(self, handle: Any) -> dict[str, Any]:
        """How workflow handles show themselves."""
        return handle_bundle(handle, self.run, self.definition_note, self.cell_of)

    # -- names -----------------------------------------------------------------------------------------------------

    @staticmethod
    def cell_namer(shell: Any) -> Callable[[str], str]:
        """``cell [3]`` for the file name of a cell's code; "" for other files."""

        def cell_of(filename: str) -> str:
            named = shell.compile.format_code_name(filename)
            label = str(named[-1]) if named is not None else ""
            return "cell " + label.removeprefix("In") if label.startswith("In[") else ""

        return cell_of

    def document(self) -> str:
        """Name of the notebook, as Jupyter or VS Code tell it; "" in a console."""
        path = self.shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
        name = PurePath(str(path)).name
        return name if name.endswith(".ipynb") else ""

    def close(self) -> None:
        """Stop the worker; the engine stays for other clients of the process, and closes with it."""
        self._ticker.stop()
        self.engine.off_notice(self._listener)
        self._disk.shutdown(wait=True)
        if not self.engine.is_closed:
            # Not waited for: activities that run may finish, while a new session takes all new work.
            asyncio.run_coroutine_threadsafe(self.worker.shutdown(FINISHING), self.engine.loop)


def plural(count: int, noun: str) -> str:
    """``1 run``, ``3 runs``; nouns that end in ``y`` become ``…ies``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def _go(count: int) -> str:
    return "goes" if count == 1 else "go"


def unfinished_lines(count: int, waiting: Mapping[str, int], note: Callable[[str], str]) -> list[str]:
    """Summary of open runs: how many go on, and which definitions the others wait for.

    Parameters
    ----------
    count
        Number of open runs.
    waiting
        Of these, by workflow type, the runs whose definition is not present.
    note
        What to do for such a type: which cell to run.
    """
    waits = sum(waiting.values())
    total = f"at least {plural(count, 'run')}" if count >= _MANY else plural(count, "run")
    parts = [f"{count - waits:,} {_go(count - waits)} on"] if count > waits else []
    if waits:
        parts.append(f"{waits:,} {'waits' if waits == 1 else 'wait'} for {'its' if waits == 1 else 'their'} definition")
    lines = [f"{total} {'is' if count == 1 else 'are'} unfinished: {', '.join(parts)}"]
    return lines + [
        f"  {safe_text(name, 80)} ({plural(n, 'run')}): {note(name)}" for name, n in sorted(waiting.items())
    ]


def cell_report(fresh: list[Captured], findings: list[Finding], *, failed: bool = False) -> list[Block]:
    """What a ``%%workflow`` cell did: its warnings, and what is registered."""
    blocks: list[Block] = []
    if findings:
        count = plural(len(findings), "warning")
        title = f"{count} about replay; %%workflow --strict would refuse the cell"
        text = "\n".join(safe_text(str(finding), 600, keep_lines=True) for finding in findings)
        blocks.append(Message(text, "warn", title))
    names = {
        kind: list(dict.fromkeys(c.name or "(dynamic)" for c in fresh if c.kind == kind))
        for kind in ("workflow", "activity")
    }
    said = [
        f"{kind if len(found) == 1 else kind[:-1] + 'ies' if kind == 'activity' else kind + 's'} "
        + ", ".join(safe_text(name, 80) for name in found)
        for kind, found in names.items()
        if found
    ]
    if said:
        blocks.append(Message("registered " + "; ".join(said), "good"))
    elif not failed:
        text = "this %%workflow cell registered nothing: decorate with @workflow.defn or @activity.defn"
        blocks.append(Message(text, "warn"))
    return blocks
