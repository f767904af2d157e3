"""The formats by name, how a file name tells its format, and ``write_runs``, which writes any of them."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.analytics.exports import histories
from durable_nb.analytics.exports.capsule import DefinitionLookup, write_capsule
from durable_nb.analytics.exports.chrome_trace import chrome_trace
from durable_nb.analytics.exports.event_log import event_log_csv
from durable_nb.analytics.exports.files import write_text
from durable_nb.analytics.exports.otlp import otlp_lines
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.analytics.exports.report import html_report
from durable_nb.analytics.exports.xes import xes_log
from durable_nb.errors import ExportError
from durable_nb.model.text import format_size

if TYPE_CHECKING:
    from durable_nb.store.protocol import Store


class Exported(msgspec.Struct, frozen=True):
    """What an export wrote. ``size`` is in bytes; for a directory that of all files in it."""

    path: str
    format: str
    runs: int
    size: int

    def __str__(self) -> str:
        runs = "1 run" if self.runs == 1 else f"{self.runs:,} runs"
        return f"{runs} written to {self.path} ({self.format}, {format_size(self.size)})"


class Format(msgspec.Struct, frozen=True):
    """A format. ``suffixes`` name it, the first one is usual; ``write`` returns the number of runs."""

    name: str
    suffixes: tuple[str, ...]
    summary: str
    write: Callable[..., int]
    options: tuple[str, ...] = ()
    needs_store: bool = False
    """Whether ``write`` takes ``store``: sources of definitions are looked up there."""
    takes_keys: bool = False
    """Whether ``write`` takes the keys of runs and reads them itself; None for the whole store."""


def _text(pieces: Callable[..., Iterator[str]]) -> Callable[..., int]:
    def write(path: Path, runs: Iterable[RunRecord], *, overwrite: bool, **options: Any) -> int:
        counted = _Counted(runs)
        write_text(path, pieces(counted, **options), overwrite=overwrite)
        return counted.count

    return write


class _Counted:
    """Runs that pass through, counted."""

    def __init__(self, runs: Iterable[RunRecord]) -> None:
        self._runs = runs
        self.count = 0

    def __iter__(self) -> Iterator[RunRecord]:
        for record in self._runs:
            self.count += 1
            yield record


def _json(path: Path, runs: Iterable[RunRecord], *, overwrite: bool) -> int:
    if path.suffix == ".zip":
        return histories.write_histories_zip(path, runs, overwrite=overwrite)
    if path.is_dir() or not path.suffix:
        return histories.write_histories_directory(path, runs, overwrite=overwrite)
    return histories.write_history(path, runs, overwrite=overwrite)


def _capsule(path: Path, runs: Iterable[RunRecord], *, overwrite: bool, store: DefinitionLookup | None = None) -> int:
    return write_capsule(path, runs, lookup=store, created_at=time.time_ns() // 1000, overwrite=overwrite)


def _html(
    path: Path, runs: Iterable[RunRecord], *, overwrite: bool, store: DefinitionLookup | None = None, **options: Any
) -> int:
    counted = _Counted(runs)
    pieces = html_report(counted, lookup=store, made_at=time.time_ns() // 1000, **options)
    write_text(path, pieces, overwrite=overwrite)
    return counted.count


def _parquet(path: Path, runs: Iterable[int] | None, *, overwrite: bool, store: Store | None = None) -> int:
    if store is None:
        raise ExportError("the views are those of a store, and there is none", fix="use client.export(…)")
    # It brings DuckDB.
    from durable_nb.analytics.exports.parquet import write_views  # noqa: PLC0415

    return write_views(path, store, run_keys=runs, overwrite=overwrite)


_FORMATS = (
    Format("json", (".json", ".zip"), "Temporal's history JSON; many runs into a .zip or a directory", _json),
    Format(
        "chrome",
        (".trace.json", ".perfetto.json"),
        "trace for Perfetto and chrome://tracing",
        _text(chrome_trace),
        ("group_by", "payloads"),
    ),
    Format(
        "otlp",
        (".otlp.jsonl", ".jsonl", ".otlp.json"),
        "OpenTelemetry spans, OTLP/JSON lines",
        _text(otlp_lines),
        ("service_name",),
    ),
    Format("xes", (".xes",), "process-mining log in XES", _text(xes_log)),
    Format("csv", (".csv",), "process-mining log in CSV", _text(event_log_csv)),
    Format(
        "html",
        (".html", ".htm"),
        "report to read, mail and print",
        _html,
        ("title", "details", "events"),
        needs_store=True,
    ),
    Format("parquet", (".parquet",), "all views, a directory", _parquet, needs_store=True, takes_keys=True),
    Format("capsule", (".capsule",), "runs whole, for another store to import", _capsule, needs_store=True),
)
FORMATS: dict[str, Format] = {known.name: known for known in _FORMATS}


def format_of(path: Path, name: str | None = None) -> Format:
    """The format with that name, or the one that the file name tells; ``.gz`` at its end is passed over.

    Raises
    ------
    ExportError
        DNB405: there is no such format, or the file name tells none.
    """
    if name is not None:
        found = FORMATS.get(name.lower())
        if found is None:
            close = difflib.get_close_matches(name.lower(), FORMATS, 1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            raise ExportError(f"there is no format {name!r}{hint}", fix=f"the formats are {', '.join(FORMATS)}")
        return found
    text = path.name.lower().removesuffix(".gz")
    fitting = [(suffix, known) for known in FORMATS.values() for suffix in known.suffixes if text.endswith(suffix)]
    if fitting:
        return max(fitting, key=lambda pair: len(pair[0]))[1]
    if path.is_dir() or not path.suffix:
        return FORMATS["json"]
    usual = ", ".join(f"{known.suffixes[0]} ({known.name})" for known in FORMATS.values())
    raise ExportError(
        f"the name {path.name!r} does not tell a format", fix=f"pass format=…, or end the name in {usual}"
    )


def write_runs(
    path: Path,
    runs: Iterable[RunRecord] | Iterable[int] | None,
    *,
    format: str | None = None,
    overwrite: bool = False,
    store: Store | None = None,
    **options: Any,
) -> Exported:
    """Write runs to a file (or, histories, to a directory), one run at a time in memory.

    Parameters
    ----------
    runs
        Records; for a format that takes keys (Parquet) the ``run_key`` of each run, or None for the whole store.
    format
        A key of ``FORMATS``; None lets the file name tell.
    store
        Where sources of definitions are found, for the formats that hold them.
    options
        What the format takes: ``group_by``, ``payloads`` (chrome), ``service_name`` (otlp), ``title`` (html), …

    Raises
    ------
    ExportError
        DNB405: an unknown format or option, a file that exists, a place that cannot be written.
    """
    chosen = format_of(path, format)
    unknown = options.keys() - set(chosen.options)
    if unknown:
        raise ExportError(
            f"the format {chosen.name} takes no option {', '.join(map(repr, sorted(unknown)))}",
            fix=f"it takes {', '.join(chosen.options) or 'none'}",
        )
    if chosen.needs_store:
        options["store"] = store
    count = chosen.write(path, runs, overwrite=overwrite, **options)
    return Exported(str(path), chosen.name, count, _size(path))


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
