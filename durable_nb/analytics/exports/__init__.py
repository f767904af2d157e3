"""Runs in the formats of other tools: histories, traces, OpenTelemetry, process mining, reports, capsules.

``Client.export`` and ``WorkflowHandle.export`` are the usual way in. The functions here take ``RunRecord``s, which
come from a store (``read_runs``) or from any history (``record_of_history``), and give text in pieces::

    history = WorkflowHistory.from_json("order-1", Path("from_a_server.json").read_text())
    record = exports.record_of_history(history.workflow_id, history.events)
    Path("order-1.trace.json").write_text("".join(exports.chrome_trace([record])))

Pure but for ``reading`` (a store) and ``files`` (a disk). Nothing here runs code of users or writes to a store.
"""

from __future__ import annotations

from durable_nb.analytics.exports.capsule import Capsule, open_capsule, read_capsule, write_capsule
from durable_nb.analytics.exports.chrome_trace import chrome_trace
from durable_nb.analytics.exports.event_log import event_log_csv
from durable_nb.analytics.exports.formats import FORMATS, Exported, format_of, write_runs
from durable_nb.analytics.exports.otel_sdk import sdk_spans
from durable_nb.analytics.exports.otlp import otlp_lines, otlp_spans
from durable_nb.analytics.exports.reading import read_run, read_runs, with_relatives
from durable_nb.analytics.exports.records import RunRecord, record_of_history
from durable_nb.analytics.exports.report import html_report
from durable_nb.analytics.exports.sending import send_spans
from durable_nb.analytics.exports.xes import xes_log

__all__ = [
    "FORMATS",
    "Capsule",
    "Exported",
    "RunRecord",
    "chrome_trace",
    "event_log_csv",
    "format_of",
    "html_report",
    "open_capsule",
    "otlp_lines",
    "otlp_spans",
    "read_capsule",
    "read_run",
    "read_runs",
    "record_of_history",
    "sdk_spans",
    "send_spans",
    "with_relatives",
    "write_capsule",
    "write_runs",
    "xes_log",
]
