"""What the activities of a run printed and logged, attempt by attempt."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from durable_nb.client._execution import instant
from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.model.requests import OutputDescription, Target
from durable_nb.model.text import safe_text
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client._client import Client


_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\\\)?")
"""Escape sequences of terminals: colours and cursor movements, titles and links."""


class ActivityOutput(FrozenDataclassLike, frozen=True):
    """What one attempt wrote. ``str()`` gives the text; as the last line of a cell it shows itself."""

    activity_id: str
    activity_type: str
    attempt: int
    """From 1."""
    chunks: list[tuple[str, str]]
    """Pairs of stream and text in the order of writing: ``stdout``, ``stderr``, ``log``, or ``cut`` for a note."""
    written: int
    """Characters in all."""
    cut: int
    """Characters of these that were not kept: the beginning and the end are."""
    updated_at: datetime | None

    @classmethod
    def of(cls, raw: OutputDescription) -> ActivityOutput:
        """From what the engine tells."""
        return cls(
            activity_id=raw.activity_id,
            activity_type=raw.activity_type,
            attempt=raw.attempt,
            chunks=raw.chunks,
            written=raw.written,
            cut=raw.cut,
            updated_at=instant(raw.updated_at),
        )

    @property
    def stdout(self) -> str:
        """What was written to ``sys.stdout``."""
        return self._of("stdout")

    @property
    def stderr(self) -> str:
        """What was written to ``sys.stderr``."""
        return self._of("stderr")

    @property
    def log(self) -> str:
        """The records that loggers made, one line each and their tracebacks."""
        return self._of("log")

    def _of(self, stream: str) -> str:
        return "".join(text for found, text in self.chunks if found == stream)

    def __str__(self) -> str:
        return "".join(f"\n{text}\n" if stream == "cut" else text for stream, text in self.chunks)

    def __repr__(self) -> str:
        return f"{self._title()}\n{safe_lines(str(self))}".rstrip("\n")

    def _title(self) -> str:
        return safe_text(f"{self.activity_type} (activity {self.activity_id}), attempt {self.attempt}", 300)

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self._title())}</b></p><pre>{escape(safe_lines(str(self)))}</pre>"


def safe_lines(text: str) -> str:
    r"""Text as a terminal would leave it standing, with nothing in it that could move a cursor.

    Of a line that was written over (``\r``), the last version; escape sequences for colours are taken out.
    """
    text = _ESCAPES.sub("", text)
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return safe_text("\n".join(lines), 1 << 30, keep_lines=True)


async def read_output(
    client: Client, workflow_id: str, run_id: str | None, activity_id: str | None, attempt: int | None
) -> Any:
    """``WorkflowHandle.output``."""
    outputs = await client.frontend.read_outputs(Target(client.namespace, workflow_id, run_id or ""))
    found = [
        ActivityOutput.of(raw)
        for raw in outputs
        if activity_id in (None, raw.activity_id) and attempt in (None, raw.attempt)
    ]
    if activity_id is None:
        return found
    if not found:
        which = f"activity {activity_id!r}" + (f", attempt {attempt}" if attempt is not None else "")
        known = ", ".join(dict.fromkeys(repr(raw.activity_id) for raw in outputs)) or "none did"
        raise RPCError(
            f"{which} of workflow {workflow_id!r} printed and logged nothing; activities that did: {known}",
            RPCStatusCode.NOT_FOUND,
        )
    return found[-1]
