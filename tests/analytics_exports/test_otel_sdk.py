"""Spans given to exporters of the real OpenTelemetry SDK."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from durable_nb.analytics.exports import RunRecord, otlp, otlp_spans, sdk_spans, send_spans
from durable_nb.analytics.exports.otlp import traces_data
from durable_nb.errors import ExportError


def ids(span: ReadableSpan) -> tuple[str, str]:
    return format_trace_id(span.context.trace_id), format_span_id(span.context.span_id)


def facts(given: dict[str, Any]) -> dict[str, Any]:
    """Attributes of the OTLP/JSON encoding as plain values."""
    found = {}
    for each in given.get("attributes", []):
        ((kind, value),) = each["value"].items()
        found[each["key"]] = int(value) if kind == "intValue" else value
    return found


def test_they_are_the_spans_of_the_other_encoding(gallery: list[RunRecord]) -> None:
    for record in gallery:
        for span, expected in zip(sdk_spans(record), otlp_spans(record), strict=True):
            assert ids(span) == (expected["traceId"], expected["spanId"])
            parent = format_span_id(span.parent.span_id) if span.parent else None
            assert parent == expected.get("parentSpanId")
            assert span.name == expected["name"]
            assert span.kind is {1: SpanKind.INTERNAL, 2: SpanKind.SERVER, 3: SpanKind.CLIENT}[expected["kind"]]
            times = [int(expected[key]) for key in ("startTimeUnixNano", "endTimeUnixNano")]
            assert [span.start_time, span.end_time] == times
            assert dict(span.attributes or {}) == facts(expected)
            events = [(each["name"], int(each["timeUnixNano"]), facts(each)) for each in expected.get("events", [])]
            assert [(e.name, e.timestamp, dict(e.attributes or {})) for e in span.events] == events
            links = [(format_trace_id(x.context.trace_id), format_span_id(x.context.span_id)) for x in span.links]
            assert links == [(link["traceId"], link["spanId"]) for link in expected.get("links", [])]
            assert (span.status.status_code is StatusCode.ERROR) == ("status" in expected)
            assert span.status.description == expected.get("status", {}).get("message")
            assert span.instrumentation_scope is not None
            assert span.instrumentation_scope.name == "durable_nb.history"
            assert span.to_json()


def test_the_official_encoder_makes_the_same_messages_of_them(gallery: list[RunRecord]) -> None:
    """Our OTLP/JSON, read by the protocol's own definition, against what the SDK makes of the spans."""
    for record in gallery:
        spans = otlp_spans(record)
        if not spans:
            continue
        ours = ExportTraceServiceRequest()
        json_format.ParseDict(in_protobufs_json(traces_data(record.run.namespace, spans)), ours)
        theirs = encode_spans(sdk_spans(record))
        for span in theirs.resource_spans[0].scope_spans[0].spans:
            span.flags = 0  # Optional, and left out of the JSON: sampled, not remote.
            for link in span.links:
                link.flags = 0
            if not span.status.code:
                span.ClearField("status")
        assert ours == theirs


def in_protobufs_json(given: Any) -> Any:
    """OTLP writes ids in hexadecimal; protobuf's general JSON wants base64."""
    if isinstance(given, list):
        return [in_protobufs_json(each) for each in given]
    if not isinstance(given, dict):
        return given
    ids_of = {"traceId", "spanId", "parentSpanId"}
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids_of else in_protobufs_json(value)
        for key, value in given.items()
    }


def test_an_exporter_gets_all_of_them_in_batches_and_stays_open(
    gallery: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "BATCH", 50)
    exporter = InMemorySpanExporter()
    assert send_spans(gallery, exporter, service_name="shop") == len(exporter.get_finished_spans())
    spans = exporter.get_finished_spans()
    assert [ids(span) for span in spans] == [
        (each["traceId"], each["spanId"]) for record in gallery for each in otlp_spans(record)
    ]
    assert {span.resource.attributes["service.name"] for span in spans} == {"shop"}
    # No doubles: a second export tells a backend nothing new, and within one no id occurs twice.
    assert send_spans(gallery, exporter) == len(spans)
    assert {ids(span) for span in exporter.get_finished_spans()} == {ids(span) for span in spans}
    assert len({ids(span) for span in spans}) == len(spans)


class Down(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


def test_a_failure_and_a_wrong_receiver_are_told(gallery: list[RunRecord]) -> None:
    with pytest.raises(ExportError, match="could not send") as raised:
        send_spans(gallery, Down())
    assert "Down" in str(raised.value)
    with pytest.raises(ExportError, match="a URL or a SpanExporter, not to dict"):
        send_spans(gallery, {})  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="headers belong to a URL"):
        send_spans(gallery, InMemorySpanExporter(), headers={"X-Key": "k"})


def test_without_the_sdk_the_line_to_install_it_is_told(
    gallery: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(ExportError, match=r"pip install 'durable_nb\[otel\]'"):
        sdk_spans(gallery[0])


@pytest.mark.slow
def test_the_sdk_is_imported_only_when_used() -> None:
    check = "import sys, durable_nb.analytics.exports; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
