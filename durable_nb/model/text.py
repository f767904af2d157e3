"""Safe plain text: any string, payload, failure, instant or duration as short printable text.

Everything that a front end shows goes through ``safe_text`` first. Invariant: what comes out has no control, escape
or direction-changing character and no lone surrogate (so a payload can neither move the cursor of a terminal, nor
reorder a line, nor make a message that cannot be encoded), and it is never longer than asked for by more than a
short note. HTML escaping comes on top of it, where HTML is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload

VALUE_LIMIT = 160
"""Characters of a value shown in a table."""

MESSAGE_LIMIT = 600
"""Characters of an error message."""

_PARSE_LIMIT = 65_536
"""Bytes above which a JSON payload is shown as it stands instead of being parsed."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: C0, delete, C1 (ANSI escapes start with one)
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible or direction-changing
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"  # annotations, lone surrogates, tag characters
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    named = _NAMED.get(character)
    if named is not None:
        return named
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_text(value: object, limit: int = VALUE_LIMIT, *, keep_lines: bool = False) -> str:
    r"""``value`` as printable text of at most ``limit`` characters and a note of what was left out.

    Parameters
    ----------
    limit
        Characters of the source that are shown; more are counted in a note such as ``… (+1,234 characters)``.
    keep_lines
        Keep line feeds (and show tabs as four blanks) instead of showing them as ``\\n``: for messages and stacks.
    """
    text = value if isinstance(value, str) else str(value)
    rest = len(text) - limit
    if rest > 0:
        text = text[:limit]
    if keep_lines:
        text = text.replace("\r\n", "\n").replace("\t", "    ")
        text = "\n".join(_UNSAFE.sub(_visible, line) for line in text.split("\n"))
    else:
        text = _UNSAFE.sub(_visible, text)
    return f"{text}… (+{rest:,} characters)" if rest > 0 else text


def format_size(count: int) -> str:
    """Bytes for people: ``850 B``, ``12.0 kB``, ``3.4 MB``."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def payload_text(payload: Payload, limit: int = VALUE_LIMIT) -> str:
    """What a payload holds, for reading: JSON as compact JSON, anything else by its encoding and size.

    Nothing is decoded by user converters or codecs, so an encrypted payload shows only its encoding.
    """
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    size = len(payload.data)
    if encoding == "binary/null":
        return "null"
    if encoding.startswith("json/"):
        if size > _PARSE_LIMIT:
            head = payload.data[: limit * 4].decode("utf-8", "replace")[:limit]
            return f"{safe_text(head, limit)}… ({format_size(size)})"
        try:
            value = json.loads(payload.data)
        except (ValueError, RecursionError):
            return safe_text(payload.data.decode("utf-8", "replace"), limit)
        return safe_text(json.dumps(value, ensure_ascii=False), limit)
    return f"<{safe_text(encoding or 'unknown encoding', 60)}, {format_size(size)}>"


def payloads_text(payloads: Iterable[Payload] | None, limit: int = VALUE_LIMIT) -> str:
    """Arguments or results as ``a, b, c``; an empty text for none."""
    return ", ".join(payload_text(payload, limit) for payload in payloads or ())


def payload_map_text(payloads: Mapping[str, Payload] | None) -> str:
    """A memo, header or search attributes as ``name=value, …``."""
    return ", ".join(f"{safe_text(name, 60)}={payload_text(value)}" for name, value in (payloads or {}).items())


def failure_kind(failure: Failure) -> str:
    """One or two words that say what kind of failure it is: the error type, ``timeout (heartbeat)``, ``canceled``…"""
    if failure.application_failure_info is not None:
        return safe_text(failure.application_failure_info.type or "ApplicationError", 80)
    if failure.timeout_failure_info is not None:
        struck = failure.timeout_failure_info.timeout_type
        return "timeout" if struck is None else f"timeout ({struck.name.lower().replace('_', '-')})"
    if failure.activity_failure_info is not None:
        return f"activity {safe_text(failure.activity_failure_info.activity_type, 80)}".rstrip()
    if failure.child_workflow_execution_failure_info is not None:
        return f"child {safe_text(failure.child_workflow_execution_failure_info.workflow_type, 80)}".rstrip()
    if failure.canceled_failure_info is not None:
        return "canceled"
    if failure.terminated_failure_info is not None:
        return "terminated"
    return "server error" if failure.server_failure_info is not None else "failure"


def failure_line(failure: Failure, limit: int = MESSAGE_LIMIT) -> str:
    """Kind and message of one failure, without its causes, on one line: of a long message the first."""
    first, _, more = failure.message.strip().partition("\n")
    message = safe_text(first, limit) + (" …" if more else "")
    kind = failure_kind(failure)
    return f"{kind}: {message}" if message else kind


def root_failure(failure: Failure) -> Failure:
    """The last of the chain of causes: what really went wrong."""
    for found in failure.chain():
        last = found
    return last


def failure_text(failure: Failure, limit: int = MESSAGE_LIMIT) -> str:
    """The chain of causes, outermost first, each message with its own lines; what repeats is only named."""
    lines: list[str] = []
    said = ""
    for depth, link in enumerate(failure.chain()):
        if depth == 12:
            break
        indent = "  " * depth
        kind, message = failure_kind(link), safe_text(link.message.strip(), limit, keep_lines=True)
        text = f"{kind}: {message}" if message and message not in said else kind
        said = message
        lines.append(indent + ("caused by " if depth else "") + text.replace("\n", "\n  " + indent))
    return "\n".join(lines)


CellNamer = Callable[[str], str]
"""File name of compiled code in, ``cell [3]`` out, or "" for what is no cell of this kernel."""

_STACK_FILE = re.compile(r'^\s*File "([^"\n]*)"')
_OTHER_KERNEL = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|^<ipython-input-")
_CELL_FILE = re.compile(r"[^\s\"']*ipykernel_\d+[/\\]\d+\.py")
_OWN_CODE = re.compile(r"[/\\]durable_nb[/\\](runtime|worker|engine|client|activity|workflow|converter)[/\\]")


def stack_tail(stack: str, cell_of: CellNamer | None = None, frames: int = 3) -> str:
    """The last frames of a traceback that are the user's, made safe, with cells by their name; "" where none is."""
    found: list[tuple[str, list[str]]] = []
    for line in stack.splitlines():
        match = _STACK_FILE.match(line)
        if match is not None:
            found.append(
                (match.group(1), [line.replace(f'File "{match.group(1)}"', _place(match.group(1), cell_of), 1)])
            )
        elif found and line.strip():
            found[-1][1].append(line)
    users = [lines for file, lines in found if not _OWN_CODE.search(file)]
    return "\n".join(safe_text(line, 200) for lines in users[-frames:] for line in lines[:8])


def name_cells(text: str, cell_of: CellNamer | None = None) -> str:
    """``text`` with the temporary files of cells replaced by the names of the cells."""
    return _CELL_FILE.sub(lambda match: (cell_of(match.group()) if cell_of is not None else "") or "a cell", text)


def _place(file: str, cell_of: CellNamer | None) -> str:
    cell = cell_of(file) if cell_of is not None else ""
    return cell or ("a cell" if _OTHER_KERNEL.search(file) else f'File "{file}"')


def format_duration(microseconds: int) -> str:
    """A length of time in the two units that matter: ``850 µs``, ``12 ms``, ``3.4 s``, ``5 min 02 s``, ``2 d 03 h``."""
    if microseconds < 0:
        return f"-{format_duration(-microseconds)}"
    if microseconds < 1000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.0f} ms"
    seconds = microseconds / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def format_instant(microseconds: int, *, milliseconds: bool = False) -> str:
    """UTC instant as ``2026-11-23 22:41:05 UTC`` (``.123`` with milliseconds); ``-`` for 0, which means unset."""
    if microseconds <= 0:
        return "-"
    try:
        moment = datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{microseconds} µs after 1970"
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{microseconds % 1_000_000 // 1000:03d} UTC" if milliseconds else f"{text} UTC"


def format_table(header: list[str], rows: list[list[str]], *, widths: Mapping[int, int] | None = None) -> str:
    """Left-aligned columns with two blanks between, trailing blanks removed.

    ``widths`` caps columns by index; longer cells end in ``…``.
    """
    caps = widths or {}
    table = [[_cap(cell, caps.get(i)) for i, cell in enumerate(row)] for row in [header, *rows]]
    sizes = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip() for row in table]
    lines.insert(1, "  ".join("-" * size for size in sizes))
    return "\n".join(lines)


def _cap(cell: str, width: int | None) -> str:
    return cell if width is None or len(cell) <= width else cell[: width - 1] + "…"
