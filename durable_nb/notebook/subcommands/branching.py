"""What ``fork``, ``retry`` and ``reset`` have in common: one run, or with ``--runs`` many, tried before it is done."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.client._bulk import describe_branch
from durable_nb.errors import NotebookError
from durable_nb.notebook.blocks import Fields, Message, Title
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import add_reason, completed_by
from durable_nb.notebook.subcommands.asking import ask, handle, workflow_ids
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def add_branch(parser: argparse.ArgumentParser) -> None:
    """``ID``, ``--run-id``, ``--runs``, ``--dry-run``, ``--yes``, ``--reason``."""
    completed_by(parser.add_argument("id", nargs="?", default="", help="workflow ID"), workflow_ids)
    parser.add_argument("--run-id", "-r", default="", help="one run of it instead of the current one")
    parser.add_argument(
        "--runs", action="append", default=[], metavar="{FRAME}",
        help="many runs: a DataFrame with workflow_id (and run_id), or a list of handles; shows a plan first",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="with --runs: do it at once")
    parser.add_argument("--dry-run", "-n", action="store_true", help="say what would happen, write nothing")
    add_reason(parser)


def add_activity(parser: argparse.ArgumentParser, text: str) -> None:
    """``--activity``."""
    parser.add_argument("--activity", "-a", default="", metavar="ID", help=text)


def run_branch(session: NotebookSession, options: argparse.Namespace, verb: str, given: dict[str, Any]) -> Any:
    """Do the verb with what was given on the line; a plan of it for ``--runs``."""
    if bool(options.id) == bool(options.runs):
        raise NotebookError(
            "say which run: a workflow ID, or --runs {frame} for many",
            where=f"%workflow {verb}",
            fix=f"%workflow {verb} --help shows what it takes",
        )
    given = {**given, "reason": options.reason}
    try:
        if options.runs:
            plan = session.run(session.client.bulk(verb, options.runs[0], **given))
            return session.run(plan.run()) if options.yes and not options.dry_run else plan
        if options.dry_run:
            preview = ask(session, options.id, handle(session, options).preview(verb, **given))
            return View([Title(f"would {verb}", safe_text(options.id)), Message(describe_branch(preview))], preview)
        made = ask(session, options.id, getattr(handle(session, options), verb)(**given))
    except (ValueError, TypeError) as error:
        if isinstance(error, NotebookError):
            raise
        raise NotebookError(str(error), where=f"%workflow {verb}") from error
    facts = [("workflow ID", safe_text(made.id)), ("run ID", safe_text(made.run_id or ""))]
    return View([Title(verb, safe_text(options.id), "done", "good"), Fields(facts)], made)
