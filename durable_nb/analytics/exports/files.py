"""Files that are there whole or not at all: written beside their place, then renamed into it.

A reader never sees half a file, and a failure half way leaves what was there before. Nothing is overwritten unasked.
"""

from __future__ import annotations

import gzip
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from durable_nb.errors import ExportError


def write_text(path: Path, pieces: Iterable[str], *, overwrite: bool = False) -> None:
    """Write pieces of text as UTF-8, compressed where the name ends in ``.gz``.

    Raises
    ------
    ExportError
        DNB405: the file exists and ``overwrite`` is False, or the place cannot be written.
    """
    with new_file(path, overwrite=overwrite) as raw:
        if path.suffix == ".gz":
            # No time and no name in the header: the same runs give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                _pour(pieces, packed)
        else:
            _pour(pieces, raw)


def _pour(pieces: Iterable[str], into: IO[bytes] | gzip.GzipFile) -> None:
    # Lone surrogates cannot be encoded; safe_text took them out of what people read, this is for the rest.
    text = io.TextIOWrapper(into, "utf-8", errors="backslashreplace", newline="", write_through=False)
    for piece in pieces:
        text.write(piece)
    text.flush()
    text.detach()


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """A file to write bytes to that takes its place when the block ends without an error.

    Raises
    ------
    ExportError
        DNB405: as ``write_text``.
    """
    require_free(path, overwrite=overwrite)
    beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        file = beside.open("xb")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(beside, path, overwrite)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _put_in_place(beside: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        beside.replace(path)
        return
    try:
        # A link fails where the name was taken meanwhile; a rename would silently replace.
        os.link(beside, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without links
        require_free(path)
        beside.replace(path)


def require_free(path: Path, *, overwrite: bool = False) -> None:
    """Complain where a file cannot be written or would be overwritten unasked.

    Raises
    ------
    ExportError
        DNB405: what is in the way.
    """
    if path.is_dir():
        raise ExportError(f"{str(path)!r} is a directory", fix="name a file in it")
    if path.exists() and not overwrite:
        raise _exists(path)
    if not path.parent.is_dir():
        raise ExportError(f"there is no directory {str(path.parent)!r}", fix="make it, or name another place")


def _exists(path: Path) -> ExportError:
    return ExportError(f"{str(path)!r} exists", fix="pass overwrite=True (--overwrite) to replace it, or another name")


def _cannot_write(path: Path, error: OSError) -> ExportError:
    reason = error.strerror or type(error).__name__
    return ExportError(f"{str(path)!r} cannot be written: {reason}", fix="make room or pick a place you may write to")
