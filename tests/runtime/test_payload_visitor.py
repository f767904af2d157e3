from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from durable_nb.model import attributes as a
from durable_nb.model.commands import Command, WorkflowTaskCompletion
from durable_nb.model.events import Event
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import QueryAnswer, UpdateRequest, WorkflowTask
from durable_nb.runtime.payload_visitor import visit_payloads
from tests.runtime import stories


def plain(*texts: str) -> list[Payload]:
    return [Payload(data=text.encode()) for text in texts]


async def shout(payloads: Sequence[Payload]) -> list[Payload]:
    return [Payload(data=payload.data.upper()) for payload in payloads]


def visited(value: Any, **options: Any) -> Any:
    return asyncio.run(visit_payloads(value, shout, **options))


def test_arguments_results_memo_summaries_and_failures_are_visited() -> None:
    started = a.WorkflowExecutionStarted(
        input=plain("a", "b"),
        memo={"m": plain("c")[0]},
        search_attributes={"S": plain("d")[0]},
        header={"h": plain("e")[0]},
        continued_failure=Failure(
            cause=Failure(
                encoded_attributes=plain("f")[0],
                application_failure_info=ApplicationFailureInfo(details=plain("g")),
            )
        ),
    )
    event = Event(1, 0, started, a.UserMetadata(summary=plain("h")[0]))
    found: Event = visited([event])[0]
    at: Any = found.attributes
    assert [each.data for each in at.input] == [b"A", b"B"]
    assert at.memo["m"].data == b"C"
    assert at.search_attributes["S"].data == b"d"
    assert at.header["h"].data == b"e"
    assert at.continued_failure.cause.encoded_attributes.data == b"F"
    assert at.continued_failure.cause.application_failure_info.details[0].data == b"G"
    assert found.user_metadata is not None
    assert found.user_metadata.summary.data == b"H"
    assert started.input == plain("a", "b")


def test_headers_are_visited_on_request() -> None:
    at = a.WorkflowExecutionSignaled(header={"h": plain("e")[0]})
    assert visited(at, headers=True).header["h"].data == b"E"


def test_what_holds_no_payload_is_not_copied() -> None:
    events = [Event(1, 0, a.TimerFired(timer_id="1")), Event(2, 0, a.ActivityTaskCompleted())]
    assert visited(events) is events


def test_the_runtimes_own_data_in_markers_stays_readable() -> None:
    at = a.MarkerRecorded(marker_name="core_local_activity", details={"data": plain("own"), "result": plain("r")})
    found = visited(at)
    assert (found.details["data"], found.details["result"]) == (plain("own"), plain("R"))


def test_tasks_completions_and_answers_are_visited() -> None:
    task = WorkflowTask("n", "w", "r", "T", "q", 1, [], 0, 0, 0, 0, updates=[UpdateRequest("u", "n", plain("x"))])
    assert visited(task).updates[0].args == plain("X")
    command = Command(a.WorkflowExecutionCompleted(result=plain("y")))
    completion = WorkflowTaskCompletion([command], rejected_updates={"u": Failure(encoded_attributes=plain("z")[0])})
    found = visited(completion)
    assert found.commands[0].attributes.result == plain("Y")
    assert found.rejected_updates["u"].encoded_attributes.data == b"Z"
    assert visited(QueryAnswer(result=plain("q"))).result == plain("Q")


def test_a_whole_history_can_be_visited() -> None:
    events = stories.messages().events
    assert len(visited(events)) == len(events)
