"""``%workflow connect``: which store the notebook works on, and another one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from durable_nb.client._opening import shown_url
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.notebook.blocks import Fields, Title
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.subcommands.values import spelled
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", default="", help="store URL, e.g. sqlite:///other.db; none tells the present one"
    )


def run(session: NotebookSession, options: argparse.Namespace) -> View | None:
    if options.url:
        session.switch_store(options.url)  # says itself what is in the store
        return None
    counts = session.run(session.ask("count_workflows", session.client.namespace))
    runs = ", ".join(
        f"{count:,} {spelled(WorkflowExecutionStatus(status))}" for status, count in sorted(counts.items())
    )
    facts = [
        ("store", safe_text(shown_url(session.engine.url), 300)),
        ("namespace", safe_text(session.client.namespace)),
        ("task queue", safe_text(session.settings.task_queue)),
        ("runs", runs or "none"),
    ]
    return View([Title("connected", ""), Fields(facts)], session.engine.url)


COMMAND = Subcommand(
    "connect",
    "tell the store of this notebook, or go over to another one",
    configure,
    run,
    ("%workflow connect", "%workflow connect sqlite:///archive.db", "%workflow connect memory://"),
)
