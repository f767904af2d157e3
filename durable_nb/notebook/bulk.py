"""Bulk verbs in a notebook: the plan as a table, and a line under the cell that counts while it runs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.notebook.blocks import Block, Message, Table, Title
from durable_nb.notebook.counting import plural
from durable_nb.notebook.html import render_html
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.client._bulk import BulkPlan, BulkRow

MOST_ROWS = 100
EVERY = 0.2
"""Seconds between two updates of the line."""


def plan_blocks(plan: BulkPlan) -> list[Block]:
    """What would be done and what cannot, or what was done and what failed."""
    refused = len(plan.refused)
    if plan.has_run:
        state = f"{len(plan.done):,} done" + (f", {refused:,} not" if refused else "")
    else:
        state = f"{len(plan.ready):,} of {len(plan):,} can be done"
    tone = "warn" if refused else "good"
    blocks: list[Block] = [Title(f"{plan.verb} {plural(len(plan), 'run')}", "", state, tone)]
    if not plan.rows:
        return [*blocks, Message("no run was given")]
    good = plan.done if plan.has_run else plan.ready
    blocks += _table("was done" if plan.has_run else "would be done", good)
    blocks += _table("was not done" if plan.has_run else "cannot be done", plan.refused)
    if not plan.has_run and plan.ready:
        blocks.append(Message("nothing has been written: await plan.run() does it"))
    return blocks


def _table(title: str, rows: Sequence[BulkRow]) -> list[Block]:
    if not rows:
        return []
    shown = rows[:MOST_ROWS]
    with_run = any(row.run_id for row in shown)
    header = ["workflow ID", "run …", "what"] if with_run else ["workflow ID", "what"]
    cells = [
        [safe_text(row.workflow_id, 80), *([safe_text(row.run_id[-8:])] if with_run else []), _says(row)]
        for row in shown
    ]
    note = f"… and {len(rows) - len(shown):,} more: .frame() has them all" if len(shown) < len(rows) else ""
    return [Table(title, header, cells, {0: 40, len(header) - 1: 120}, note)]


def _says(row: BulkRow) -> str:
    if row.problem:
        return safe_text(row.problem, 300)
    return safe_text(row.would, 300)


def progress_line(
    publish: Callable[..., Any], now: Callable[[], float] = time.monotonic
) -> Callable[[str, int], Callable[[int, int, int], None]]:
    """Makes what ``BulkPlan.run`` tells of its progress: one line of output that is updated in place.

    Parameters
    ----------
    publish
        ``publish(data, metadata, transient=…, update=…)`` of IPython's display publisher.
    """

    def begin(verb: str, count: int) -> Callable[[int, int, int], None]:
        ident = uuid.uuid4().hex
        last = now()
        shown = False

        def told(done: int, failed: int, total: int) -> None:
            nonlocal last, shown
            if done < total and now() - last < EVERY:
                return
            last = now()
            text = f"{verb}: {done:,} of {total:,} runs" + (f", {failed:,} failed" if failed else "")
            blocks = [Message(text, "bad" if failed else "busy" if done < total else "good")]
            data = {"text/plain": render_text(blocks), "text/html": render_html(blocks)}
            publish(data, {}, transient={"display_id": ident}, update=shown)
            shown = True

        return told

    return begin
