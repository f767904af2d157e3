"""``%load_ext durable_nb``: opens the store, starts the engine, offers ``client``, and says what is unfinished.

Loading wires the parts of this package into one IPython shell; unloading takes everything back. The store is
``DURABLE_NB_STORE``, else the setting ``store`` (``settings``: ``%config DurableNB.store = "…"`` and ``%reload_ext
durable_nb``, or pyproject.toml), else ``durable.db`` beside the notebook. ``client``, ``workflow`` and ``activity`` are
put into the namespace unless it has such names already.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.client._defaults import DEFAULT_STORE_URL, STORE_VARIABLE
from durable_nb.client._display import (
    set_bulk_progress,
    set_handle_renderer,
    set_history_slider,
    set_timeline_maker,
)
from durable_nb.client._opening import require_store_url
from durable_nb.engine import open_engine
from durable_nb.notebook import completion, logs, sql_magic, tracebacks, transformer
from durable_nb.notebook.blocks import Message
from durable_nb.notebook.bulk import progress_line
from durable_nb.notebook.display import View, install_formatters
from durable_nb.notebook.magics import WorkflowMagics
from durable_nb.notebook.marks import MarkDefinitions
from durable_nb.notebook.session import NotebookSession
from durable_nb.notebook.settings import DurableNB, current_layers, settings_of
from durable_nb.notebook.timelines import timeline
from durable_nb.worker._embedded import EmbeddedWorker

ATTRIBUTE = "durable_nb"
"""Where the shell carries the session."""


class _Loaded:
    """What must be taken back, last first."""

    def __init__(self) -> None:
        self.undo: list[Callable[[], object]] = []
        self.offered: dict[str, Any] = {}


_loaded: dict[int, _Loaded] = {}
"""By id of the shell; a process has one, tests have several."""


def load_ipython_extension(ip: Any) -> None:
    """Called by ``%load_ext durable_nb``.

    Raises
    ------
    StoreError
        DNB5xx: the store cannot be opened; the message says why and what to do.
    """
    session = getattr(ip, ATTRIBUTE, None)
    if session is not None:
        print(f"durable_nb is loaded already, store {session.engine.url}; %reload_ext durable_nb opens it anew")  # noqa: T201
        return
    _load(ip)


def _load(ip: Any, url: str = "") -> None:
    loaded = _loaded.setdefault(id(ip), _Loaded())
    _show_errors_short(ip, loaded)
    settings = settings_of(ip)
    problems = current_layers(settings)
    session = _open(ip, settings, url or store_url(ip))
    setattr(ip, ATTRIBUTE, session)
    _wire(ip, session, loaded)
    session.capture.scan()
    session.capture.take_fresh()
    session.show(View(session.welcome()))
    if problems:
        session.show(View([Message("\n".join(problems), "warn", "settings that were not understood")]))
    _offer(ip, session, loaded)


def unload_ipython_extension(ip: Any) -> None:
    """Called by ``%unload_ext`` and ``%reload_ext``: the worker stops, the engine stays for other clients."""
    loaded = _loaded.pop(id(ip), None)
    if loaded is None:
        return
    for undo in reversed(loaded.undo):
        undo()
    for name, value in loaded.offered.items():
        if ip.user_ns.get(name) is value:
            del ip.user_ns[name]


def store_url(ip: Any) -> str:
    """Which store the notebook uses."""
    return os.environ.get(STORE_VARIABLE) or settings_of(ip).store or DEFAULT_STORE_URL


def switch_store(ip: Any, url: str) -> None:
    """Go over to another store, as ``%reload_ext`` would; where it cannot be opened, everything stays as it is.

    Raises
    ------
    StoreError
        DNB5xx: the store cannot be opened; the message says why and what to do.
    """
    require_store_url(url)
    open_engine(url, own_thread=True)  # the session shares it; refused here, nothing was changed yet
    unload_ipython_extension(ip)
    _load(ip, url)


def _open(ip: Any, settings: DurableNB, url: str) -> NotebookSession:
    engine = open_engine(url, own_thread=True)
    if settings.suggest_continue_as_new:
        engine.suggest_continue_as_new_at(settings.suggest_continue_as_new)
    client = Client(engine, namespace=settings.namespace)
    client.default_task_queue = settings.task_queue
    worker = EmbeddedWorker(
        client,
        task_queue=settings.task_queue,
        max_concurrent_activities=settings.max_concurrent_activities or None,
        max_cached_workflows=settings.max_cached_workflows,
    )
    session = NotebookSession(ip, engine, client, worker, settings, partial(switch_store, ip))
    worker.start()
    return session


def _show_errors_short(ip: Any, loaded: _Loaded) -> None:
    # Before the store is opened: what goes wrong there must be readable too.
    if not loaded.undo:
        namer = NotebookSession.cell_namer(ip)
        loaded.undo.append(tracebacks.install(ip, namer))


def _wire(ip: Any, session: NotebookSession, loaded: _Loaded) -> None:
    undo = loaded.undo.append
    undo(logs.install())
    transformer.install(ip.input_transformer_manager)
    undo(lambda: transformer.uninstall(ip.input_transformer_manager))
    marks = MarkDefinitions()
    ip.ast_transformers.append(marks)
    undo(lambda: ip.ast_transformers.remove(marks) if marks in ip.ast_transformers else None)
    for event, callback in (("pre_run_cell", session.before_cell), ("post_run_cell", session.after_cell)):
        ip.events.register(event, callback)
        undo(partial(ip.events.unregister, event, callback))
    magics = WorkflowMagics(ip, session)
    ip.register_magics(magics)
    undo(lambda: _drop_magics(ip))
    undo(sql_magic.install(ip, session))
    complete = completion.matcher(session)
    ip.Completer.custom_matchers.append(complete)
    undo(lambda: ip.Completer.custom_matchers.remove(complete) if complete in ip.Completer.custom_matchers else None)
    undo(install_formatters(ip))
    set_handle_renderer(session.handle_bundle)
    undo(lambda: set_handle_renderer(None))
    set_history_slider(session.history_slider)
    undo(lambda: set_history_slider(None))
    set_timeline_maker(partial(timeline, session=session))
    undo(lambda: set_timeline_maker(None))
    set_bulk_progress(progress_line(ip.display_pub.publish))
    undo(lambda: set_bulk_progress(None))
    undo(session.close)
    undo(lambda: delattr(ip, ATTRIBUTE))


def _drop_magics(ip: Any) -> None:
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop("workflow", None)


def _offer(ip: Any, session: NotebookSession, loaded: _Loaded) -> None:
    for name, value in (("client", session.client), ("workflow", workflow), ("activity", activity)):
        if name not in ip.user_ns:
            ip.user_ns[name] = loaded.offered[name] = value
        elif name == "client":
            print("your variable `client` was kept; the client is get_ipython().durable_nb.client")  # noqa: T201
