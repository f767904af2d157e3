"""``%workflow import``: the runs of a capsule into this store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.blocks import Message, Table
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession

SHOWN = 50
"""Runs that are listed; the rest is counted."""

_MEANINGS = {
    "copied": "copied",
    "present": "was here already",
    "resumed": "goes on here",
    "terminated": "copied as it stood, terminated (--resume goes on with it)",
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a capsule made by %%workflow export ID FILE.capsule")
    parser.add_argument("--resume", action="store_true", help="go on here with runs that were open when exported")


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    imported = session.run(session.client.import_capsule(options.file, resume=options.resume))
    rows = [
        [safe_text(each.workflow_type, 60), safe_text(each.workflow_id, 80), each.run_id, _MEANINGS[each.outcome]]
        for each in imported[:SHOWN]
    ]
    more = len(imported) - len(rows)
    table = Table("", ["workflow type", "workflow ID", "run ID", "what became of it"], rows)
    note = [Message(f"… and {more:,} more")] if more else []
    nothing = [Message("the capsule holds no run")] if not rows else []
    return View([table, *note, *nothing], imported)


COMMAND = Subcommand(
    "import",
    "copy the runs of a capsule into this store; nothing of them runs by itself",
    configure,
    run,
    examples=("%workflow import order-1.capsule", "%workflow import order-1.capsule --resume"),
)
