"""OpenTelemetry spans: the encoding of the protocol, the tree of a trace, and no doubles."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from durable_nb.analytics.exports import otlp_lines, otlp_spans
from durable_nb.analytics.exports.records import RunRecord, record_of_history

ALLOWED = {
    "traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes",
    "events", "links", "status",
}  # fmt: skip
VALUES = {"stringValue": str, "intValue": str, "boolValue": bool}


def require_attributes(attributes: list[dict[str, Any]]) -> None:
    for attribute in attributes:
        assert attribute.keys() == {"key", "value"}
        ((kind, value),) = attribute["value"].items()
        assert type(value) is VALUES[kind]
        assert kind != "intValue" or re.fullmatch(r"-?\d+", value)
    assert max(Counter(attribute["key"] for attribute in attributes).values(), default=1) == 1


def require_valid(span: dict[str, Any]) -> None:
    assert span.keys() <= ALLOWED
    assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
    assert span["traceId"].strip("0")
    for key in ("spanId", "parentSpanId"):
        assert key not in span or (re.fullmatch("[0-9a-f]{16}", span[key]) and span[key].strip("0"))
    assert span["kind"] in (1, 2, 3, 4, 5)
    start, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
    assert type(start) is type(end) is str
    assert 0 < int(start) <= int(end)
    require_attributes(span["attributes"])
    for event in span.get("events", []):
        assert event["name"]
        assert int(event["timeUnixNano"])
        require_attributes(event["attributes"])
    assert span.get("status", {"code": 2})["code"] == 2


def facts(span: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def test_every_line_is_a_traces_data_message(gallery: list[RunRecord]) -> None:
    lines = list(otlp_lines(gallery, service_name="orders"))
    assert len(lines) == len(gallery)
    for line in lines:
        assert line.endswith("\n")
        assert "\n" not in line[:-1]
        (resource_spans,) = json.loads(line)["resourceSpans"]
        require_attributes(resource_spans["resource"]["attributes"])
        assert facts(resource_spans["resource"])["service.name"] == "orders"
        (scope_spans,) = resource_spans["scopeSpans"]
        for span in scope_spans["spans"]:
            require_valid(span)


def test_no_span_occurs_twice_and_parents_exist(gallery: list[RunRecord]) -> None:
    spans = [span for record in gallery for span in otlp_spans(record)]
    ids = Counter((span["traceId"], span["spanId"]) for span in spans)
    assert max(ids.values()) == 1
    for span in spans:
        assert "parentSpanId" not in span or (span["traceId"], span["parentSpanId"]) in ids, span
    for link in (link for span in spans for link in span.get("links", [])):
        assert (link["traceId"], link["spanId"]) in ids


def test_exporting_again_gives_the_same_bytes(gallery: list[RunRecord]) -> None:
    assert list(otlp_lines(gallery)) == list(otlp_lines(gallery))


def test_a_later_export_holds_the_spans_of_an_earlier_one_unchanged(gallery: list[RunRecord]) -> None:
    for record in gallery:
        run_id = record.started.original_execution_run_id
        known: dict[str, Any] = {}
        for count in range(1, len(record.events) + 1):
            spans = {s["spanId"]: s for s in otlp_spans(record_of_history(run_id, record.events[:count]))}
            if any(event.event_type.name == "WORKFLOW_TASK_FAILED" for event in record.events):
                break  # A reset makes the prefix another run's; what a run starts with is complete from its start.
            assert known.items() <= spans.items()
            known = spans


def test_children_share_the_trace_of_their_root(by_workflow: dict[str, list[RunRecord]]) -> None:
    root = by_workflow["family"][0]
    trace = root.run.run_id.replace("-", "")
    children = [each for runs in by_workflow.values() for each in runs if each.run.parent_run_id == root.run.run_id]
    assert len(children) == 6
    asked = {span["spanId"] for span in otlp_spans(root) if span["name"].startswith("StartChildWorkflow:")}
    for child in children:
        run = next(span for span in otlp_spans(child) if span["name"].startswith("RunWorkflow:"))
        assert run["traceId"] == trace
        assert run["parentSpanId"] in asked


def test_a_failed_attempt_is_an_error_with_its_exception(by_workflow: dict[str, list[RunRecord]]) -> None:
    spans = otlp_spans(by_workflow["outcomes"][0])
    flaky = [span for span in spans if span["name"] == "RunActivity:flaky"]
    assert ["status" in span for span in flaky] == [True, True, False]
    (event,) = flaky[0]["events"]
    assert facts(event)["exception.type"] == "Early"
    assert facts(event)["exception.message"] == "not yet"
    assert "raise ApplicationError" in facts(event)["exception.stacktrace"]
    whole = next(span for span in spans if span["name"] == "StartActivity:flaky")
    assert "status" not in whole
    assert facts(whole)["attempts"] == "3"


def test_a_reset_run_links_to_its_base_and_does_not_repeat_its_work(by_workflow: dict[str, list[RunRecord]]) -> None:
    first, again = by_workflow["reset"]
    root = next(span for span in otlp_spans(again) if span["name"].startswith("RunWorkflow:"))
    base = next(span for span in otlp_spans(first) if span["name"].startswith("RunWorkflow:"))
    assert root["links"] == [{"traceId": base["traceId"], "spanId": base["spanId"]}]
    counts = [sum(s["name"] == "RunActivity:echo" for s in otlp_spans(record)) for record in (first, again)]
    assert counts == [2, 1]
