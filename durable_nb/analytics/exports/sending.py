"""Spans to where a user's traces are: a collector, or any exporter of the OpenTelemetry SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from durable_nb.analytics.exports.otel_sdk import export_spans
from durable_nb.analytics.exports.otlp_post import post_spans
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.errors import ExportError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter


def send_spans(
    runs: Iterable[RunRecord],
    to: str | SpanExporter = "http://localhost:4318",
    *,
    headers: Mapping[str, str] | None = None,
    service_name: str = "durable_nb",
    timeout: float = 10.0,
) -> int:
    """Send the finished spans of runs; returns how many were sent. Sending them again repeats the same span ids.

    Parameters
    ----------
    to
        Base URL of a collector (OTLP over HTTP in JSON; ``/v1/traces`` is added where no path is given), or a
        ``SpanExporter`` of the OpenTelemetry SDK, which stays open.
    headers
        For a URL: for instance an API key.
    service_name
        Resource attribute ``service.name``.
    timeout
        For a URL: seconds for each request.

    Raises
    ------
    ExportError
        DNB405: neither an HTTP URL nor an exporter, nobody answers there, or the spans are refused; what was sent
        before stays sent.

    Examples
    --------
    >>> from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # doctest: +SKIP
    >>> send_spans(read_runs(store, RunFilter("default")), ConsoleSpanExporter())  # doctest: +SKIP
    """
    if isinstance(to, str):
        return post_spans(runs, to, headers=headers, service_name=service_name, timeout=timeout)
    if not hasattr(to, "export"):
        raise ExportError(
            f"spans go to a URL or a SpanExporter, not to {type(to).__name__}",
            fix='for instance "http://localhost:4318", or an exporter of opentelemetry.sdk',
        )
    if headers:
        raise ExportError("headers belong to a URL", fix="an exporter gets its own when it is made")
    return export_spans(runs, to, service_name=service_name)
