"""What a cell says of itself when it is over, and what the extension says when it is loaded. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.capture import Captured
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.units import title_of

if TYPE_CHECKING:
    from durable_nb.notebook.lint import Finding


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
    total = plural(count, "run")
    parts = [f"{count - waits:,} {verb(count - waits, 'go')} on"] if count > waits else []
    if waits:
        parts.append(f"{waits:,} {'waits' if waits == 1 else 'wait'} for {'its' if waits == 1 else 'their'} definition")
    lines = [f"{total} {'is' if count == 1 else 'are'} unfinished: {', '.join(parts)}"]
    return lines + [
        f"  {safe_text(name, 80)} ({plural(n, 'run')}): {note(name)}" for name, n in sorted(waiting.items())
    ]


def cell_report(
    fresh: list[Captured],
    findings: list[Finding],
    *,
    failed: bool = False,
    without_instance: Mapping[str, list[str]] = MappingProxyType({}),
) -> list[Block]:
    """What a ``%%workflow`` cell did: its warnings, what is registered, and what waits for an instance of its class."""
    blocks: list[Block] = []
    if findings:
        count = plural(len(findings), "warning")
        title = f"{count} about replay; %%workflow --strict would refuse the cell"
        text = "\n".join(safe_text(str(finding), 600, keep_lines=True) for finding in findings)
        blocks.append(Message(text, "warn", title))
    names = {
        kind: list(dict.fromkeys(title_of(c.name) for c in fresh if c.kind == kind))
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
    for name, types in without_instance.items():
        kind, are = ("activity", "it is") if len(types) == 1 else ("activities", "they are")
        text = f"{kind} {', '.join(types)}: {are} registered with an instance of {name}, as in x = {name}(…)"
        blocks.append(Message(safe_text(text, 400)))
    if not said and not failed and not without_instance:
        text = "this %%workflow cell registered nothing: decorate with @workflow.defn or @activity.defn"
        blocks.append(Message(text, "warn"))
    return blocks
