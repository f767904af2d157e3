"""A worker as the engine sees it: what it serves, workflow tasks with local activities, and the codec around them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from durable_nb import activity
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    WorkflowExecutionCompleted,
    WorkflowExecutionStarted,
    WorkflowTaskScheduled,
)
from durable_nb.model.commands import (
    CancelLocalActivity,
    Command,
    LocalActivityRequest,
    WorkflowTaskCompletion,
    WorkflowTaskFailure,
    WorkflowTaskPending,
)
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import QueryRequest, WorkflowTask
from durable_nb.worker._local_tasks import LocalActivities, task_timeout
from durable_nb.worker._port import HostPort
from tests.worker.executor_rig import CONVERTER, Rig, payloads, settle, value_of
from tests.worker.pretended_engine import ScriptedHost

SECOND = 1_000_000


@activity.defn
async def quick(text: str) -> str:
    return text.upper()


@activity.defn
async def hanging() -> None:
    await asyncio.Event().wait()


def request(seq: int, activity_type: str, *args: Any) -> LocalActivityRequest:
    return LocalActivityRequest(
        seq=seq, activity_id=str(seq), activity_type=activity_type, input=payloads(*args), header={}
    )


def completion(*results: Any) -> WorkflowTaskCompletion:
    commands = [Command(WorkflowExecutionCompleted(result=payloads(*results)))] if results else []
    return WorkflowTaskCompletion(commands=commands)


def task(*events: Event) -> WorkflowTask:
    return WorkflowTask("default", "w", "r", "Known", "q", 1, list(events), 0, 3, 3, 100)


class PortRig(Rig):
    def __init__(self, host: ScriptedHost, *activities: Any, **options: Any) -> None:
        port_options = {key: options.pop(key) for key in tuple(options) if key.startswith(("any_", "serve_"))}
        super().__init__(*activities, **options)
        self.host = host
        self.port = HostPort(
            namespace="default",
            task_queue="q",
            identity="me",
            host=host,  # type: ignore[arg-type]
            executor=self.executor,
            data_converter=self.converter,
            now=lambda: SECOND + int(self.timers.now * SECOND),
            **port_options,
        )
        self.port._locals = LocalActivities(
            host,  # type: ignore[arg-type]
            self.executor,
            10,
            now=lambda: SECOND + int(self.timers.now * SECOND),
            call_later=self.timers.call_later,
        )


async def test_without_local_activities_and_codec_a_workflow_task_is_answered_in_place() -> None:
    done = completion(1)
    assert PortRig(ScriptedHost(done)).port.run_workflow_task(7, task()) is done


async def test_a_port_serves_what_is_registered_or_everything_of_a_kind() -> None:
    port = PortRig(ScriptedHost(), quick).port
    assert [port.serves_workflow("Known"), port.serves_workflow("Other")] == [True, False]
    assert [port.serves_activity("quick"), port.serves_activity("other")] == [True, False]
    port = PortRig(ScriptedHost(), quick, any_workflow=True, any_activity=True).port
    assert port.serves_workflow("Other")
    assert port.serves_activity("other")
    port = PortRig(ScriptedHost(), quick, serve_activities=False).port
    assert not port.serves_activity("quick")
    assert port.free_activity_slots() == 100


async def test_local_activities_run_while_the_task_is_open() -> None:
    host = ScriptedHost(
        WorkflowTaskPending(start=[request(1, "quick", "a"), request(2, "quick", "b")]),
        WorkflowTaskPending(start=[request(3, "quick", "c")]),
        WorkflowTaskPending(),
        completion("end"),
    )
    rig = PortRig(host, quick)
    result = await rig.port.run_workflow_task(7, task())  # type: ignore[misc]
    assert isinstance(result, WorkflowTaskCompletion)
    assert not result.force_new_task
    assert [(seq, value_of(end.outcome)) for seq, end in host.ends] == [(1, "A"), (2, "B"), (3, "C")]
    assert [end.complete_time for _, end in host.ends] == [SECOND] * 3
    assert rig.timers.pending == []


async def test_a_task_that_waits_for_long_heartbeats_and_goes_on_in_the_next() -> None:
    gate = asyncio.Event()

    @activity.defn
    async def slow() -> str:
        await gate.wait()
        return "late"

    scheduled = Event(2, 0, WorkflowTaskScheduled(start_to_close_timeout=5 * SECOND))
    host = ScriptedHost(
        WorkflowTaskPending(start=[request(1, "slow")]), WorkflowTaskPending(), WorkflowTaskPending(), completion("x")
    )
    rig = PortRig(host, slow)
    first = asyncio.ensure_future(rig.port.run_workflow_task(7, task(scheduled)))  # type: ignore[arg-type]
    await settle()
    await rig.timers.advance(3.9)
    assert not first.done()
    await rig.timers.advance(0.2)
    assert (await first).force_new_task
    second = asyncio.ensure_future(rig.port.run_workflow_task(7, task(scheduled)))  # type: ignore[arg-type]
    await settle()
    await rig.timers.advance(4.1)
    assert (await second).force_new_task
    gate.set()
    await settle()
    assert host.ends == [], "its end waits for the next task"
    third = await rig.port.run_workflow_task(7, task(scheduled))  # type: ignore[misc]
    assert not third.force_new_task
    assert [(seq, value_of(end.outcome)) for seq, end in host.ends] == [(1, "late")]


async def test_the_code_may_cancel_a_local_activity() -> None:
    host = ScriptedHost(
        WorkflowTaskPending(start=[request(1, "hanging"), request(2, "quick", "a")]),
        WorkflowTaskPending(cancel=[CancelLocalActivity(1)]),
        completion("x"),
    )
    rig = PortRig(host, hanging, quick)
    await rig.port.run_workflow_task(7, task())  # type: ignore[misc]
    assert [seq for seq, _ in host.ends] == [2, 1]
    assert host.ends[1][1].outcome.canceled


async def test_evicting_a_run_ends_its_open_task_and_its_local_activities() -> None:
    host = ScriptedHost(WorkflowTaskPending(start=[request(1, "hanging")]))
    rig = PortRig(host, hanging)
    result = asyncio.ensure_future(rig.port.run_workflow_task(7, task()))  # type: ignore[arg-type]
    await settle()
    rig.port.evict_run(7)
    assert isinstance(await result, WorkflowTaskFailure)
    await settle()
    assert host.evicted == [7]
    assert rig.executor.local == {}
    assert host.ends == []


async def test_a_task_that_fails_stops_what_runs_for_it() -> None:
    failure: Any = WorkflowTaskFailure(None, None)  # type: ignore[arg-type]
    host = ScriptedHost(WorkflowTaskPending(start=[request(1, "hanging"), request(2, "quick", "a")]), failure)
    rig = PortRig(host, hanging, quick)
    assert await rig.port.run_workflow_task(7, task()) is failure  # type: ignore[misc]
    await settle()
    assert rig.executor.local == {}


def test_the_timeout_of_a_task_is_found_in_its_events() -> None:
    started = Event(1, 0, WorkflowExecutionStarted(workflow_task_timeout=7))
    assert task_timeout(task()) == 10 * SECOND
    assert task_timeout(task(started, Event(2, 0, WorkflowTaskScheduled()))) == 7
    assert task_timeout(task(started, Event(2, 0, WorkflowTaskScheduled(start_to_close_timeout=9)))) == 9


class Reversing(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if any(b"forbidden" in payload.data for payload in payloads):
            raise ValueError("refused")
        return [Payload(metadata={"encoding": b"rev"}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(p.data[::-1]) for p in payloads]


CODED = DataConverter(payload_codec=Reversing())


async def test_a_codec_covers_tasks_commands_and_queries_but_not_local_activities() -> None:
    host = ScriptedHost(WorkflowTaskPending(start=[request(1, "quick", "a")]), completion("out"))
    rig = PortRig(host, quick, data_converter=CODED)
    event = Event(5, 0, ActivityTaskCompleted(result=await CODED.encode(["in"])))
    result = await rig.port.run_workflow_task(7, task(event))  # type: ignore[misc]
    seen = host.tasks[0].events[0].attributes
    assert CONVERTER.from_payloads(seen.result) == ["in"]  # type: ignore[attr-defined]
    assert event.attributes.result[0].metadata["encoding"] == b"rev", "the engine's event is left alone"
    assert value_of(host.ends[0][1].outcome) == "A"
    assert await CODED.decode(result.commands[0].attributes.result) == ["out"]
    answer = await rig.port.answer_query(7, QueryRequest("q", await CODED.encode([5])), None)  # type: ignore[misc]
    assert CONVERTER.from_payloads(host.queries[0][0].args) == [5]
    assert await CODED.decode(answer.result) == [5]


async def test_a_codec_that_refuses_fails_the_workflow_task_and_drops_the_instance() -> None:
    host = ScriptedHost(completion("forbidden"))
    rig = PortRig(host, data_converter=CODED)
    result = await rig.port.run_workflow_task(7, task())  # type: ignore[misc]
    assert isinstance(result, WorkflowTaskFailure)
    assert result.failure.message == "Failed encoding the outcome of the workflow task: refused"
    assert host.evicted == [7]


async def test_without_codec_a_query_is_answered_in_place() -> None:
    rig = PortRig(ScriptedHost())
    answer: Any = rig.port.answer_query(7, QueryRequest("q", payloads(5)), None)
    assert CONVERTER.from_payloads(answer.result) == [5]
