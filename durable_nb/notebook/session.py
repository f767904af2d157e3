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
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.errors import DurableError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.bridge import run_on
from durable_nb.notebook.capture import Capture
from durable_nb.notebook.cell_reports import cell_report, unfinished_lines
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.definitions import Definitions
from durable_nb.notebook.display import View, handle_bundle, now_us
from durable_nb.notebook.headers import read_header
from durable_nb.notebook.live.board import LiveBoard
from durable_nb.notebook.notices import NoticeBoard
from durable_nb.notebook.progress_line import ProgressLine
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.ticker import Ticker
from durable_nb.notebook.transformer import header_options
from durable_nb.notebook.versions import DYNAMIC
from durable_nb.notebook.words import did_you_mean

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.client._travel import Journey
    from durable_nb.engine import EngineHandle
    from durable_nb.model.requests import RunDescription
    from durable_nb.notebook.settings import DurableNB
    from durable_nb.notebook.sources import Located
    from durable_nb.notebook.units import Unit
    from durable_nb.worker._embedded import EmbeddedWorker

T = TypeVar("T")

FINISHING = timedelta(hours=1)
"""What running activities get to finish after ``%unload_ext`` or ``%reload_ext``."""


class NotebookSession:
    """See the module docstring."""

    def __init__(
        self,
        shell: Any,
        engine: EngineHandle,
        client: Client,
        worker: EmbeddedWorker,
        settings: DurableNB,
        switch_store: Callable[[str], None],
    ) -> None:
        self.shell = shell
        self.settings = settings
        self.switch_store = switch_store
        """Goes over to the store at a URL; ends this session."""
        self.engine = engine
        self.client = client
        self.worker = worker
        self.cell_of = namer = self.cell_namer(shell)
        self.capture = Capture(self, shell.user_ns, cell_of=namer, document=self.document, now=now_us)
        self._welcomed = threading.Event()
        self._waiting: dict[str, int] = {}
        self._live: LiveBoard | None = None
        self.notices = NoticeBoard(
            self._publish, time.monotonic, note=self.definition_note, cell_of=namer, wanted=self._is_news
        )
        self._ticker = Ticker(self.capture.scan)
        self._disk = ThreadPoolExecutor(1, "durable_nb definitions")
        self.definitions = Definitions(
            shell.user_ns,
            engine,
            worker,
            self.run,
            show=self.show,
            progress=ProgressLine(shell.display_pub.publish),
            disk=self._disk,
            cell_of=namer,
        )
        for number, earlier in enumerate(shell.user_ns.get("_ih", ())):  # cells that ran before %load_ext
            self.definitions.statements.add(earlier, f"cell [{number}]")
        self._listener: Callable[[Any], None] = self.notices.post
        engine.on_notice(self._listener)
        engine.on_settle.append(self.definitions.settle)

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
        header = read_header(options)
        self.capture.lints = True
        self.capture.strict = self.settings.strict or header.strict
        self.definitions.mode = header.on_edit or self.settings.on_edit

    def mark(self, first_line: int, last_line: int) -> Callable[[Any], Any]:
        """The decorator that ``marks`` puts around a definition."""
        filename = sys._getframe(1).f_code.co_filename

        def keep(definition: Any) -> Any:
            self.definitions.at_line(last_line)
            self.capture.made(definition, filename, first_line)
            return definition

        return keep

    def before_cell(self, info: Any) -> None:
        """IPython event ``pre_run_cell``."""
        self.capture.lints = self.capture.strict = False
        text = getattr(info, "transformed_cell", None) or self.shell.transform_cell(getattr(info, "raw_cell", "") or "")
        counted = bool(getattr(info, "store_history", False))  # then the shell has gone on to the next number already
        cell = f"cell [{self.shell.execution_count - counted}]"
        self.definitions.before_cell(text, self.settings.on_edit, cell)
        self._ticker.start()

    def after_cell(self, result: Any) -> None:
        """IPython event ``post_run_cell``: take in what the cell imported, and say what a ``%%workflow`` cell did."""
        self._ticker.stop()
        info = getattr(result, "info", None)
        options = header_options(getattr(info, "raw_cell", "") or "")
        self.capture.scan()
        failed = any(getattr(result, f"error_{when}_exec", None) is not None for when in ("before", "in"))
        try:
            self.definitions.after_cell(failed=failed)
        except DurableError as error:  # the store: what the cell did is told all the same
            self.show(View([Message(safe_text(f"open runs could not be judged: {error.message}", 400), "bad")]))
        fresh, findings = self.capture.take_fresh()
        for captured in fresh:
            self.notices.limiter.forget(captured.name)
        if options is not None and getattr(result, "error_before_exec", None) is None:
            waiting = self.definitions.activities.without_instance(self.definitions.bound)
            blocks = cell_report(fresh, findings, failed=failed, without_instance=waiting)
            if blocks:
                self.show(View(blocks))
        for name, problem in self.capture.take_problems():
            text = f"{name} was not registered: {type(problem).__name__}: {problem}"
            self.show(View([Message(safe_text(text, 1000, keep_lines=True), "bad")]))
        self._tell_of_resumed({captured.name for captured in fresh if captured.kind == "workflow"})
        self._show_blocks(self.definitions.notes())

    def _show_blocks(self, blocks: list[Block]) -> None:
        if blocks:
            self.show(View(blocks))

    def show(self, view: View) -> None:
        """Put a view under the current cell."""
        self._publish(view._repr_mimebundle_())

    def _publish(self, data: dict[str, Any]) -> None:
        self.shell.display_pub.publish(data=data, metadata={})

    def publish(self, data: dict[str, Any], transient: dict[str, Any], *, update: bool = False) -> None:
        """Show an output that can be written anew later; from any thread."""
        self.shell.display_pub.publish(data=data, metadata={}, transient=transient, update=update)

    def knows(self, run: RunDescription) -> bool:
        """Whether the run is in this notebook's store: executions may come from another client."""
        store = self.engine.store
        return self.engine.run_blocking(store.find_run, run.namespace, run.workflow_id, run.run_id) is not None

    @property
    def has_kernel(self) -> bool:
        """Whether the shell belongs to a kernel, so that front ends may draw widgets; a terminal has none."""
        return getattr(self.shell, "kernel", None) is not None

    def live_board(self) -> LiveBoard | None:
        """What keeps displays up to date; None outside a kernel, or where live displays are switched off."""
        if not self.settings.live or not self.has_kernel:
            return None
        if self._live is None:
            self._live = LiveBoard(self)
        return self._live

    # -- registrar of ``capture`` ----------------------------------------------------------------------------------

    def unit_of(self, definition: Any, located: Located, kind: str) -> Unit | None:
        return self.definitions.unit_of(definition, located, kind)

    def unit_of_bound(self, activity: Any, bound_as: str) -> tuple[Unit, str] | None:
        return self.definitions.activities.unit_of_bound(activity, bound_as)

    def add_workflow(self, definition: Any, name: str, digest: str, unit: Unit | None) -> None:
        self.definitions.take(definition, name, digest, unit)

    def add_activity(self, definition: Any) -> None:
        self.worker.register_activity(definition)

    def store(self, rows: list[DefinitionRow]) -> None:
        """Keep sources, without making the cell wait for the disk."""
        self.definitions.store(rows)

    # -- what is unfinished ----------------------------------------------------------------------------------------

    def welcome(self) -> list[Block]:
        """What ``%load_ext`` says: the store, and what was left unfinished and is (or is not) going on.

        Code of unfinished runs that bears this user's signature is restored first.
        """
        lines = [f"durable_nb: store {safe_text(self.engine.url)}"]
        restorer = self.definitions.restorer
        try:
            counts = self.definitions.open_runs.counts()
            if counts:
                restorer.restore_signed()
            waiting: dict[str, int] = {}
            for (name, digest), count in counts.items():
                if not self.definitions.keeper.holds(name, digest):
                    waiting[name] = waiting.get(name, 0) + count
            self._waiting = waiting
        finally:
            self._welcomed.set()
        if counts:
            lines += unfinished_lines(sum(counts.values()), waiting, self.definition_note)
            lines += restorer.waiting_lines()
        else:
            lines.append("no run is unfinished")
        return [Message("\n".join(lines)), *restorer.blocks()]

    def _is_news(self, notice: Any) -> bool:
        """Whether a notice is wanted at all, and says what the welcome did not."""
        if not self.settings.notices:
            return False
        if notice.kind != "definition_missing":
            return True
        self._welcomed.wait(10)
        return notice.workflow_type not in self._waiting

    def _tell_of_resumed(self, names: set[str]) -> None:
        """Say which runs of earlier kernels a definition that is new here brings back to life.

        Counted when the extension was loaded: by now they may be finished.
        """
        if DYNAMIC in names:  # whose runs have types of their own
            holds = self.definitions.keeper.holds
            counts = self.definitions.open_runs.counts_for(DYNAMIC) if self._waiting else {}
            names = names | {name for name, digest in counts if name in self._waiting and holds(name, digest)}
        for name in sorted(names):
            count = self._waiting.pop(name, 0)
            if count and name not in self.definitions.reported:
                text = f"{plural(count, 'unfinished run')} of {safe_text(name, 80)} {verb(count, 'go')} on"
                self.show(View([Message(text, "good")]))

    def types(self) -> list[str]:
        """Workflow types that this notebook runs."""
        return sorted(name for name in self.definitions.keeper.current if name != DYNAMIC)

    def definition_note(self, workflow_type: str, digest: str = "") -> str:
        """Which cell defines a workflow type, or its version, by the stored source; what to do where none is stored."""
        row = self.definitions.restorer.stored("workflow", workflow_type, digest)
        if row is None and not digest:  # code that runs under another name: a dynamic workflow
            pinned = [used for _, used in self.definitions.open_runs.counts(workflow_type) if used]
            row = self.definitions.restorer.stored("workflow", workflow_type, pinned[0]) if pinned else None
        if row is None or not row.origin:
            return "run the cell or import the module that defines it" + did_you_mean(workflow_type, self.types())
        origin = safe_text(row.origin)
        if not digest or workflow_type not in self.definitions.keeper.current:
            return f"run {origin}"
        # This notebook has the type, but not this version of it: another one may, or only the store.
        return (
            f"it is pinned to version {safe_text(digest[:8])} of {origin}; a kernel that has run that cell goes on "
            f"with it, or %workflow restore {safe_text(workflow_type, 80)} shows its source"
        )

    def handle_bundle(self, handle: Any) -> dict[str, Any]:
        """How workflow handles show themselves."""
        board = self.live_board()
        if board is not None:
            return board.handle_bundle(handle)
        return handle_bundle(handle, self.run, self.definition_note, self.cell_of)

    def history_slider(self, handle: Any) -> Any:
        """A slider through the history of a handle's run."""
        return self.slider_of(self.run(handle.journey()), handle._client)

    def slider_of(self, journey: Journey, client: Client) -> Any:
        """A slider through a history, which follows its run while that is open."""
        # Widgets take half a second to import, which only those who look at one should pay.
        from durable_nb.notebook.history_following import FollowedHistory  # noqa: PLC0415
        from durable_nb.notebook.history_slider import HistorySlider  # noqa: PLC0415

        slider = HistorySlider(journey, cell_of=self.cell_of)
        board = self.live_board()
        if board is not None and not slider.is_whole:
            board.follow(FollowedHistory(board, client, slider))
        return slider

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
        if self._live is not None:
            self._live.close()
        self.engine.off_notice(self._listener)
        self.engine.on_settle.remove(self.definitions.settle)
        self._disk.shutdown(wait=True)
        if not self.engine.is_closed:
            # Not waited for: activities that run may finish, while a new session takes all new work.
            asyncio.run_coroutine_threadsafe(self.worker.shutdown(FINISHING), self.engine.loop)
