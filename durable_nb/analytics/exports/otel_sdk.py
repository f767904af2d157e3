"""Spans for exporters of the OpenTelemetry SDK: whatever backend a user already sends traces to.

The spans are those of ``otlp``, with the same ids, as ``ReadableSpan``s; so the invariant 'no doubles' holds here too.
They go to the exporter itself, beside tracers and span processors, which would give each of them a new id. The SDK is
optional and is imported when a span for it is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.exports.otlp import SCOPE, Object, otlp_spans, resource_of, span_batches
from durable_nb.analytics.exports.records import RunRecord
from durable_nb.errors import ExportError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext


def sdk_spans(record: RunRecord, *, service_name: str = "durable_nb") -> list[ReadableSpan]:
    """The finished spans of a run, as objects of the OpenTelemetry SDK.

    Parameters
    ----------
    service_name
        Resource attribute ``service.name``.

    Raises
    ------
    ExportError
        DNB405: the SDK is not installed.
    """
    make = _Maker(record.run.namespace, service_name)
    return [make.span(given) for given in otlp_spans(record)]


def export_spans(runs: Iterable[RunRecord], exporter: SpanExporter, *, service_name: str = "durable_nb") -> int:
    """Give the finished spans of runs to an exporter, which stays open; returns how many.

    Raises
    ------
    ExportError
        DNB405: the SDK is not installed, or the exporter tells of a failure; what was sent before stays sent.
    """
    sent = 0
    for namespace, spans in span_batches(runs):
        make = _Maker(namespace, service_name)
        result = exporter.export([make.span(given) for given in spans])
        if getattr(result, "name", "") == "FAILURE":
            raise ExportError(
                f"the exporter could not send {len(spans):,} spans",
                where=type(exporter).__name__,
                fix="its log says why; sending again repeats the same span ids",
            )
        sent += len(spans)
    exporter.force_flush()
    return sent


class _Maker:
    """Makes spans of one namespace."""

    def __init__(self, namespace: str, service_name: str) -> None:
        try:
            # Optional, and slow to import.
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.sdk import resources  # noqa: PLC0415
            from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
        except ImportError:
            raise ExportError(
                "these spans are objects of the OpenTelemetry SDK, which is not installed",
                fix="pip install 'durable_nb[otel]', or give the URL of a collector, which needs nothing",
            ) from None
        self._trace, self._sdk = trace, sdk
        self._resource = resources.Resource(resource_of(namespace, service_name))
        self._scope = InstrumentationScope(SCOPE)

    def span(self, given: Object) -> ReadableSpan:
        """From an object of the OTLP/JSON encoding."""
        trace = self._trace
        parent = given.get("parentSpanId")
        status = given.get("status")
        return self._sdk.ReadableSpan(
            name=given["name"],
            context=self._context(given["traceId"], given["spanId"]),
            parent=self._context(given["traceId"], parent) if parent else None,
            resource=self._resource,
            attributes=_attributes(given),
            events=[
                self._sdk.Event(event["name"], _attributes(event), int(event["timeUnixNano"]))
                for event in given.get("events", ())
            ],
            links=[
                trace.Link(self._context(link["traceId"], link["spanId"]), _attributes(link))
                for link in given.get("links", ())
            ],
            kind=trace.SpanKind(given["kind"] - 1),  # The protocol counts from 1, for it has an 'unspecified'.
            status=trace.Status(trace.StatusCode(status["code"]), status["message"]) if status else trace.Status(),
            start_time=int(given["startTimeUnixNano"]),
            end_time=int(given["endTimeUnixNano"]),
            instrumentation_scope=self._scope,
        )

    def _context(self, trace_id: str, span_id: str) -> SpanContext:
        trace = self._trace
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        made: SpanContext = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)
        return made


def _attributes(given: Object) -> dict[str, Any]:
    return {each["key"]: _value(each["value"]) for each in given.get("attributes", ())}


def _value(given: Object) -> Any:
    ((kind, value),) = given.items()
    return int(value) if kind == "intValue" else value
