"""A history read as stretches of time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.exports import spans as s
from durable_nb.analytics.exports.records import RunRecord, record_of_history
from durable_nb.analytics.exports.span_reading import spans_of
from durable_nb.errors import HistoryFormatError
from durable_nb.model.attributes import ActivityTaskScheduled, TimerStarted
from durable_nb.model.enums import EventType

Gallery = dict[str, list[RunRecord]]


def test_every_attempt_of_every_run_is_one_attempt_of_one_span(gallery: list[RunRecord]) -> None:
    for record in gallery:
        spans = spans_of(record)
        found = sorted(
            (span.event_id, attempt.number)
            for span in spans.spans
            if span.kind == s.ACTIVITY
            for attempt in span.attempts
        )
        kept = sorted((attempt.scheduled_event_id, attempt.attempt) for attempt in record.attempts)
        inherited = {(span.event_id, 1) for span in spans.spans if span.inherited}
        assert [key for key in found if key not in inherited] == kept, record.run.workflow_id


def test_times_are_in_order_everywhere(gallery: list[RunRecord]) -> None:
    for record in gallery:
        spans = spans_of(record)
        for span in [spans.run, *spans.spans]:
            assert span.end == 0 or span.start <= span.end <= spans.last
            assert (span.outcome == "") == (span.end == 0)
            for attempt in span.attempts:
                assert span.start <= attempt.scheduled_at <= attempt.started_at <= attempt.ended_at


def test_what_a_closed_run_left_open_ends_with_it_as_abandoned(gallery: list[RunRecord]) -> None:
    closed = [spans_of(record) for record in gallery if record.is_closed]
    assert all(span.is_over for spans in closed for span in spans.spans)
    assert any(span.outcome == s.ABANDONED for spans in closed for span in spans.spans)


def test_every_activity_timer_and_child_is_a_span(gallery: list[RunRecord]) -> None:
    kinds = {
        EventType.ACTIVITY_TASK_SCHEDULED: s.ACTIVITY,
        EventType.TIMER_STARTED: s.TIMER,
        EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED: s.CHILD,
        EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED: s.UPDATE,
        EventType.WORKFLOW_TASK_SCHEDULED: s.TASK,
    }
    for record in gallery:
        expected = {(e.event_id, kinds[e.event_type]) for e in record.events if e.event_type in kinds}
        found = {(span.event_id, span.kind) for span in spans_of(record).spans if span.kind != s.LOCAL}
        assert found == expected


def test_retries_keep_their_queue_run_and_back_off_apart(by_workflow: Gallery) -> None:
    spans = spans_of(by_workflow["outcomes"][0])
    flaky = next(span for span in spans.spans if span.name == "flaky")
    assert [(attempt.number, attempt.outcome) for attempt in flaky.attempts] == [
        (1, "failed"),
        (2, "failed"),
        (3, "completed"),
    ]
    first, second, _ = flaky.attempts
    assert second.scheduled_at == first.next_attempt_at == first.ended_at + 1000


def test_local_activities_come_from_their_markers(by_workflow: Gallery) -> None:
    spans = spans_of(by_workflow["locals"][0])
    found = [(span.name, span.outcome) for span in spans.spans if span.kind == s.LOCAL]
    assert ("refuses", "failed") in found
    assert found.count(("echo", "completed")) == 3


def test_what_was_inherited_by_a_reset_is_told_apart(by_workflow: Gallery) -> None:
    first, again = map(spans_of, by_workflow["reset"])
    assert first.base_run_id == ""
    assert again.base_run_id == first.record.run.run_id
    assert {span.inherited for span in first.spans} == {False}
    assert [span.inherited for span in again.spans if span.kind == s.ACTIVITY] == [True, False]
    assert all(span.start >= again.run.start for span in again.own)


def test_a_history_alone_gives_nearly_the_same_record(gallery: list[RunRecord]) -> None:
    for record in gallery:
        alone = record_of_history(record.run.workflow_id, record.events)
        run, known = alone.run, record.run
        assert (run.workflow_type, run.status, run.close_time) == (known.workflow_type, known.status, known.close_time)
        assert (run.parent_run_id, run.root_run_id, run.memo) == (known.parent_run_id, known.root_run_id, known.memo)
        assert run.search_attributes == known.search_attributes
        names = [(span.kind, span.name, span.outcome) for span in spans_of(alone).spans]
        assert names == [(span.kind, span.name, span.outcome) for span in spans_of(record).spans]


@pytest.mark.parametrize("events", ["none", "headless"])
def test_a_history_without_its_beginning_is_refused(gallery: list[RunRecord], events: str) -> None:
    with pytest.raises(HistoryFormatError):
        record_of_history("w", [] if events == "none" else gallery[0].events[1:])


def test_an_open_run_has_open_spans(gallery: list[RunRecord]) -> None:
    record = next(
        record
        for record in gallery
        if any(isinstance(e.attributes, ActivityTaskScheduled | TimerStarted) for e in record.events)
    )
    for count in range(1, len(record.events)):
        spans = spans_of(record_of_history("w", record.events[:count]))
        assert spans.run.end == 0
        assert all(spans.end_of(span) >= span.start for span in [spans.run, *spans.spans])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20))))
def test_lanes_never_overlap_and_are_as_few_as_can_be(stretches: list[tuple[int, int]]) -> None:
    lanes = s.Lanes()
    taken: dict[int, list[tuple[int, int]]] = {}
    ordered = sorted((start, start + length) for start, length in stretches)
    for start, end in ordered:
        taken.setdefault(lanes.take(start, end), []).append((start, end))
    for lane in taken.values():
        assert all(before[1] <= after[0] for before, after in pairwise(lane))
    most = max((sum(b <= at < max(e, b + 1) for b, e in ordered) for at, _ in ordered), default=0)
    assert lanes.count <= max(most, min(len(ordered), 1))
