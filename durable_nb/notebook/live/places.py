"""Where workflow code waits: cell or file, line, function, statement; made of what ``__enhanced_stack_trace`` answers.

Pure. What the code calls inside of libraries is left out: a person looks for the line that they wrote.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Mapping
from typing import Any

from durable_nb.model.requests import RunDescription
from durable_nb.notebook.text import CellNamer, safe_text

MAX_PLACES = 5
_MAX_LINES = 12
"""Lines of a statement that are looked at."""

_STATEMENT = 240
"""Characters of a statement that are shown."""


def places(trace: Mapping[str, Any] | None, cell_of: CellNamer | None = None) -> list[dict[str, Any]]:
    """Where each task of the workflow waits."""
    found: list[dict[str, Any]] = []
    for frame in waiting_frames(trace):
        file, line = str(frame.get("filePath", "")), int(frame.get("line") or 0)
        content = str(((trace or {}).get("sources", {}).get(file) or {}).get("content", ""))
        place = {
            "where": safe_text((cell_of(file) if cell_of is not None else "") or _short_file(file), 120),
            "line": line,
            "function": safe_text(str(frame.get("functionName", "")), 120),
            "source": safe_text(statement_at(content, line), _STATEMENT),
        }
        if place not in found:
            found.append(place)
    return found[:MAX_PLACES]


def waiting_frames(trace: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The innermost frame of the author's in each stack."""
    frames = []
    for stack in (trace or {}).get("stacks") or []:
        for frame in reversed(stack.get("locations") or []):
            if not _is_library(str(frame.get("filePath", ""))):
                frames.append(frame)
                break
    return frames


def waits_for_message(run: RunDescription, trace: Mapping[str, Any] | None) -> bool:
    """Whether the run stands in ``wait_condition`` and nothing that runs by itself can end that, save a timeout."""
    if run.close_time or run.pending_activities or run.pending_children or run.pending_workflow_task is not None:
        return False
    return any(
        frame.get("functionName") == "wait_condition" and _is_library(str(frame.get("filePath", "")))
        for stack in (trace or {}).get("stacks") or []
        for frame in stack.get("locations") or []
    )


def statement_at(content: str, line: int) -> str:
    """The statement that begins in a line, as one line without comments; the line alone where it is not whole.

    A call that stretches over lines says little by its first: ``await asyncio.gather(``.
    """
    lines = content.splitlines()[max(0, line - 1) : max(0, line - 1) + _MAX_LINES] if line > 0 else []
    if not lines:
        return ""
    lines[0] = first = lines[0].strip()
    kept = list(lines)
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
            row, column = token.start
            if token.type == tokenize.COMMENT:
                kept[row - 1] = kept[row - 1][:column]
            elif token.type == tokenize.NEWLINE:
                return _joined([each.strip() for each in kept[:row]])
    except (tokenize.TokenError, SyntaxError):  # too long, or the line is in the middle of a statement
        return first
    return first


def _joined(lines: list[str]) -> str:
    """Lines of one statement as one line, brackets close to what they hold."""
    text = ""
    for line in lines:
        tight = not text or text.endswith(("(", "[", "{", ".")) or line.startswith((")", "]", "}", "."))
        text += line if tight or not line else f" {line}"
    return text.replace(",)", ")").replace(",]", "]").replace(",}", "}")


def _is_library(file: str) -> bool:
    return (
        "site-packages" in file
        or "/durable_nb/" in file.replace("\\", "/")
        or file.startswith("<frozen")
        or ("/lib/python3" in file.replace("\\", "/"))
    )


def _short_file(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2] or file
