"""What commands ask the engine: the run that a line names, and the names that exist."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.errors import NotebookError
from durable_nb.model.requests import ListWorkflows, Target
from durable_nb.notebook import patience
from durable_nb.notebook.blocks import Message
from durable_nb.notebook.display import View
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.words import did_you_mean
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

T = TypeVar("T")

RECENT = 500
"""Runs whose IDs are compared for "did you mean" and completion."""


def target(session: NotebookSession, options: argparse.Namespace) -> Target:
    """The run that ``options.id`` and ``options.run_id`` name, for a request to the engine."""
    return Target(session.client.namespace, options.id, options.run_id)


def handle(session: NotebookSession, options: argparse.Namespace) -> Any:
    """The handle of that run."""
    return session.client.get_workflow_handle(options.id, run_id=options.run_id or None)


def ask(session: NotebookSession, workflow_id: str, request: Coroutine[Any, Any, T]) -> T:
    """The answer to a request about a workflow.

    Raises
    ------
    NotebookError
        DNB700: there is no such workflow; with the IDs that look like it.
    RPCError
        What the engine says to anything else.
    """
    try:
        return session.run(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        known = recent_ids(session, patience.GUESS)
        if workflow_id in known:
            raise  # it exists but is closed
        guess = did_you_mean(workflow_id, known)
        text = f"there is no workflow {workflow_id!r}{guess}" if guess else error.message
        raise NotebookError(text, fix="%workflow list shows the runs") from error


def done(what: str, options: argparse.Namespace) -> View:
    """``what`` was done to the workflow of the line."""
    return View([Message(f"{safe_text(what)} {safe_text(options.id)}")])


def recent_ids(session: NotebookSession, timeout: float) -> list[str]:
    """IDs of the newest runs; none where the engine takes longer than ``timeout`` seconds."""
    query = ListWorkflows(session.client.namespace, limit=RECENT)
    try:
        runs = session.run(session.ask("list_workflows", query), timeout)
    except TimeoutError:
        return []
    return list(dict.fromkeys(run.workflow_id for run in runs))


def workflow_ids(session: NotebookSession, options: argparse.Namespace) -> list[str]:
    """Completer of workflow IDs."""
    del options
    return recent_ids(session, patience.COMPLETION)


def definition_types(session: NotebookSession, options: argparse.Namespace) -> list[str]:
    """Completer of workflow types."""
    del options
    return session.types()
