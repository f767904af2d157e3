"""Our history JSON against protobuf's own, which is what Temporal's tools read and write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.enums.v1 import EventType as ProtoEventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.client import WorkflowHistory

from durable_nb.converter.history_json import history_from_json, history_to_dict, history_to_json
from durable_nb.converter.json_fields import _fields
from durable_nb.errors import HistoryFormatError
from durable_nb.model import enums
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskScheduled,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    WorkflowExecutionStarted,
    WorkflowTaskFailed,
)
from durable_nb.model.enums import EventType, WorkflowTaskFailedCause
from durable_nb.model.events import ATTRIBUTES, Event
from tests.model.strategies import events

SMALLEST = """{"events":[
 {"eventId":"1","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED","workflowExecutionStartedEventAttributes":
   {"workflowType":{"name":"W"},"taskQueue":{},"originalExecutionRunId":"r"}},
 {"eventId":"2","eventType":"EVENT_TYPE_WORKFLOW_TASK_SCHEDULED","workflowTaskScheduledEventAttributes":{}},
 {"eventId":"3","eventTime":"2025-01-01T00:00:00Z","eventType":"EVENT_TYPE_WORKFLOW_TASK_STARTED",
   "workflowTaskStartedEventAttributes":{"scheduledEventId":"2"}},
 {"eventId":"4","eventType":"EVENT_TYPE_WORKFLOW_TASK_COMPLETED","workflowTaskCompletedEventAttributes":
   {"scheduledEventId":"2","startedEventId":"3","sdkMetadata":{"coreUsedFlags":[1,2,3]}}},
 {"eventId":"5","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED",
   "workflowExecutionCompletedEventAttributes":{"result":{}}}]}"""


def proto(text: str) -> History:
    return json_format.Parse(text, History())


def one(event_type: str, attributes: dict[str, Any], key: str, **rest: Any) -> dict[str, Any]:
    return {"events": [{"eventId": "1", "eventType": event_type, key: attributes, **rest}]}


@pytest.mark.slow
@settings(max_examples=250)
@given(st.lists(events, min_size=1, max_size=2))
def test_histories_survive_both_ways_and_protobuf_reads_the_same(history: list[Event]) -> None:
    text = history_to_json("", history)
    assert history_from_json(text) == history
    message = proto(text)
    again = json_format.MessageToJson(message)
    assert history_from_json(again) == history
    assert proto(history_to_json("", history_from_json(again))) == message


@settings(max_examples=60)
@given(events)
def test_what_is_set_and_what_is_unset_looks_as_in_protobuf(event: Event) -> None:
    ours = history_to_dict("", [event])["events"][0]
    theirs = json_format.MessageToDict(json_format.ParseDict(ours, HistoryEvent()))
    assert_same(ours, theirs)


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal, but for how floats print."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            assert_same(value, theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-6)
    else:
        assert ours == theirs


def descriptor_of(kind: EventType) -> Descriptor:
    name = f"{kind.name.lower()}_event_attributes"
    return HistoryEvent.DESCRIPTOR.fields_by_name[name].message_type


@pytest.mark.parametrize("kind", list(ATTRIBUTES), ids=lambda kind: kind.name)
def test_every_field_exists_in_the_protocol_under_that_name(kind: EventType) -> None:
    by_camel = {field.camelcase_name: field for field in descriptor_of(kind).fields}
    for field in _fields(ATTRIBUTES[kind]):
        found = by_camel[field.camel]
        assert found.name == field.name
        if isinstance(field.unset, bool):
            assert found.type == FieldDescriptor.TYPE_BOOL


def test_enumerations_have_the_numbers_and_names_of_the_protocol() -> None:
    from temporalio.api.enums import v1

    for cls, prefix in enums.PROTO_PREFIX.items():
        theirs = getattr(v1, cls.__name__.replace("ID", "Id"))
        for member in cls:
            assert theirs.Value(f"{prefix}_{member.name}") == member.value


def test_the_smallest_history_is_read_and_written_for_the_official_sdk() -> None:
    read = history_from_json(SMALLEST)
    assert [event.event_type for event in read] == [1, 5, 6, 7, 2]
    assert read[0].attributes == WorkflowExecutionStarted(workflow_type="W", original_execution_run_id="r", attempt=0)
    assert read[4].attributes.result == []
    written = WorkflowHistory.from_json("wf", history_to_json("wf", read))
    assert proto(history_to_json("", read)) == proto(SMALLEST)
    assert written.events[0].workflow_execution_started_event_attributes.workflow_id == "wf"


def test_ids_that_the_first_event_lacks_are_filled_in_and_others_kept() -> None:
    started = history_to_dict("w", [Event(1, 0, WorkflowExecutionStarted())], "r")["events"][0]
    assert started["workflowExecutionStartedEventAttributes"] == {
        "attempt": 1,
        "workflowType": {},
        "taskQueue": {},
        "workflowId": "w",
        "originalExecutionRunId": "r",
    }
    own = WorkflowExecutionStarted(workflow_id="a", original_execution_run_id="b")
    kept = history_to_dict("w", [Event(1, 0, own)], "r")["events"][0]["workflowExecutionStartedEventAttributes"]
    assert (kept["workflowId"], kept["originalExecutionRunId"]) == ("a", "b")


def test_the_spelling_of_each_kind_of_value() -> None:
    scheduled = ActivityTaskScheduled(
        activity_id="1",
        activity_type="charge",
        task_queue="q",
        start_to_close_timeout=30_000_000,
        heartbeat_timeout=250_000,
        schedule_to_close_timeout=1,
        workflow_task_completed_event_id=4,
    )
    (written,) = history_to_dict("", [Event(5, 1_735_689_600_000_001, scheduled)])["events"]
    assert written == {
        "eventId": "5",
        "eventTime": "2025-01-01T00:00:00.000001Z",
        "eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED",
        "activityTaskScheduledEventAttributes": {
            "activityId": "1",
            "activityType": {"name": "charge"},
            "taskQueue": {"name": "q", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "startToCloseTimeout": "30s",
            "heartbeatTimeout": "0.250s",
            "scheduleToCloseTimeout": "0.000001s",
            "workflowTaskCompletedEventId": "4",
        },
    }


def test_an_activity_without_a_result_has_no_result_field() -> None:
    (written,) = history_to_dict("", [Event(7, 0, ActivityTaskCompleted(scheduled_event_id=5))])["events"]
    assert written["activityTaskCompletedEventAttributes"] == {"scheduledEventId": "5"}


def test_an_enumeration_at_zero_is_left_out() -> None:
    (written,) = history_to_dict("", [Event(5, 0, StartChildWorkflowExecutionInitiated())])["events"]
    assert written["startChildWorkflowExecutionInitiatedEventAttributes"] == {}


@pytest.mark.parametrize("name", ["TimerStarted", "EVENT_TYPE_TIMER_STARTED", "TIMER_STARTED", 17])
@pytest.mark.parametrize("key", ["timerStartedEventAttributes", "timer_started_event_attributes"])
def test_other_spellings_of_names_and_numbers_are_read(name: Any, key: str) -> None:
    camel = key == "timerStartedEventAttributes"
    attributes = {
        "timerId" if camel else "timer_id": "1",
        "startToFireTimeout" if camel else "start_to_fire_timeout": "1.5s",
    }
    written = {"eventId" if camel else "event_id": 3, "eventType" if camel else "event_type": name, key: attributes}
    time = "2025-01-01T02:30:00.123456789+02:30"
    (event,) = history_from_json({"events": [{**written, "eventTime": time, "taskId": "9", "later": {"a": 1}}]})
    assert event == Event(3, 1_735_689_600_123_456, TimerStarted(timer_id="1", start_to_fire_timeout=1_500_000))


def test_short_enumeration_names_inside_attributes_are_read() -> None:
    attributes = {"cause": "UnhandledCommand", "scheduledEventId": "1"}
    (event,) = history_from_json(one("WorkflowTaskFailed", attributes, "workflowTaskFailedEventAttributes"))
    assert isinstance(event.attributes, WorkflowTaskFailed)
    assert event.attributes.cause is WorkflowTaskFailedCause.UNHANDLED_COMMAND


def test_members_that_only_newer_servers_know_are_read_as_unset() -> None:
    attributes = {"cause": "WORKFLOW_TASK_FAILED_CAUSE_OF_THE_FUTURE"}
    (event,) = history_from_json(one("WorkflowTaskFailed", attributes, "workflowTaskFailedEventAttributes"))
    assert event.attributes.cause is WorkflowTaskFailedCause.UNSPECIFIED


def test_our_reader_agrees_with_temporals_on_an_older_spelling() -> None:
    older = one(
        "StartChildWorkflowExecutionInitiated",
        {"parentClosePolicy": "Abandon", "workflowId": "c", "taskQueue": {"name": "q", "kind": "Normal"}},
        "startChildWorkflowExecutionInitiatedEventAttributes",
    )
    theirs = WorkflowHistory.from_json("w", older).events[0]
    (ours,) = history_from_json(older)
    attributes = theirs.start_child_workflow_execution_initiated_event_attributes
    assert ours.attributes.parent_close_policy == attributes.parent_close_policy == 2


def test_unspecified_in_the_older_spelling_is_unset_also_where_there_is_no_such_member() -> None:
    """Servers of 2022 wrote it in every WorkflowExecutionStarted."""
    attributes = {"workflowType": {"name": "W"}, "initiator": "Unspecified"}
    (event,) = history_from_json(one("WorkflowExecutionStarted", attributes, "workflowExecutionStartedEventAttributes"))
    (unset,) = history_from_json(
        one("WorkflowExecutionStarted", {"workflowType": {"name": "W"}}, "workflowExecutionStartedEventAttributes")
    )
    assert event.attributes == unset.attributes


def test_events_that_a_worker_may_ignore_are_skipped_and_others_refused() -> None:
    unknown = {"eventId": "2", "eventType": "EVENT_TYPE_OF_THE_FUTURE"}
    assert history_from_json({"events": [{**unknown, "workerMayIgnore": True}]}) == []
    with pytest.raises(HistoryFormatError, match="event 2: event type 'EVENT_TYPE_OF_THE_FUTURE' is unknown"):
        history_from_json({"events": [unknown]})


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("{", "the history is not JSON"),
        ("[]", 'a list "events"'),
        ({"events": {}}, 'a list "events"'),
        ({"events": ["x"]}, "event at position 1: an event is a JSON object, not str"),
        ({"events": [{"eventId": "1"}]}, "event 1: eventType is missing"),
        ({"events": [{"eventId": "1", "eventType": "TimerStartd"}]}, 'did you mean "TimerStarted"'),
        ({"events": [{"eventType": "TimerStarted", "timerStartedEventAttributes": {}}]}, "eventId is missing"),
        (
            one("TimerStarted", {}, "timerFiredEventAttributes"),
            "must have timerStartedEventAttributes, found timerFired",
        ),
        (
            one("TimerStarted", {"startToFireTimeout": "30"}, "timerStartedEventAttributes"),
            "timerStartedEventAttributes.startToFireTimeout must be a duration",
        ),
        (one("TimerStarted", {"timerId": 1}, "timerStartedEventAttributes"), "timerId must be text, not int '1'"),
        (one("TimerStarted", {}, "timerStartedEventAttributes", eventTime="yesterday"), "eventTime must be an instant"),
        (
            one("TimerFired", {"startedEventId": "x"}, "timerFiredEventAttributes"),
            "startedEventId must be an integer",
        ),
        (
            one("MarkerRecorded", {"details": {"d": {"payloads": [{"data": "!"}]}}}, "markerRecordedEventAttributes"),
            r"details\['d'\].payloads\[0\].data must be base64",
        ),
        (
            one("WorkflowTaskFailed", {"cause": "NoSuchCause"}, "workflowTaskFailedEventAttributes"),
            "'NoSuchCause' is no WorkflowTaskFailedCause",
        ),
    ],
)
def test_what_is_wrong_is_named_with_event_and_field(history: Any, message: str) -> None:
    with pytest.raises(HistoryFormatError, match=message):
        history_from_json(history)


def test_a_real_export_with_fields_we_do_not_model_is_read() -> None:
    message = History()
    event = message.events.add(event_id=1, event_type=ProtoEventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    event.version, event.task_id = 7, 1 << 40
    started = event.workflow_execution_started_event_attributes
    started.workflow_type.name, started.task_queue.name, started.attempt = "W", "q", 1
    started.workflow_run_timeout.FromMilliseconds(1500)
    started.source_version_stamp.build_id = "b"
    started.memo.fields["k"].data = b"\x00\xff"
    (read,) = history_from_json(json_format.MessageToJson(message))
    assert read.attributes.workflow_run_timeout == 1_500_000
    assert read.attributes.memo["k"].data == b"\x00\xff"
    again = json.loads(history_to_json("", [read]))["events"][0]["workflowExecutionStartedEventAttributes"]
    assert again["memo"] == {"fields": {"k": {"data": "AP8="}}}
