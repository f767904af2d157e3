"""Replays a batch of histories with Temporal's own offline Replayer; run as a script.

Standard input is JSON: ``{"source": path, "cases": [{"name", "workflow", "history"}]}``. For each case a line
``{"name", "failure", "strict"}`` goes out: ``failure`` is what the Replayer said (None when it accepts), ``strict``
lists what the code asked for or returned and the history does not say (temporal-semantics 9.4).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import (
    Interceptor,
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)

PAYLOADS = DataConverter.default.payload_converter
TIMES = ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")
recorded: list[tuple[Any, ...]] = []
returned: list[bytes] = []


def data_of(values: Any) -> tuple[bytes, ...]:
    return tuple(each.data for each in PAYLOADS.to_payloads(list(values)))


def micros(value: Any) -> int:
    return 0 if value is None else round(value.total_seconds() * 1_000_000)


class Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: Any) -> Any:
        result = await super().execute_workflow(input)
        returned.extend(data_of([result]))
        return result


class Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: Any) -> Any:
        times = tuple(micros(getattr(input, name)) for name in TIMES)
        recorded.append(("activity", input.activity, data_of(input.args), times))
        return super().start_activity(input)

    async def start_child_workflow(self, input: Any) -> Any:
        recorded.append(("child", input.workflow, data_of(input.args), input.id, micros(input.run_timeout)))
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: Any) -> None:
        recorded.append(("signal", input.signal, data_of(input.args), input.child_workflow_id))
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: Any) -> None:
        recorded.append(("signal", input.signal, data_of(input.args), input.workflow_id))
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: Any) -> Any:
        recorded.append(("continue", data_of(input.args)))
        super().continue_as_new(input)


class Recorder(Interceptor):
    def workflow_interceptor_class(self, input: Any) -> type[WorkflowInboundInterceptor]:
        return Inbound


def duration(value: Duration) -> int:
    return value.ToMicroseconds()


def payload_data(payloads: Any) -> tuple[bytes, ...]:
    return tuple(each.data for each in payloads.payloads)


def written(history: WorkflowHistory) -> list[tuple[Any, ...]]:
    """What the history says was asked for, in the form of ``recorded``."""
    rows: list[tuple[Any, ...]] = []
    for event in history.events:
        kind = event.WhichOneof("attributes")
        value = getattr(event, kind)
        if kind == "activity_task_scheduled_event_attributes":
            times = tuple(duration(getattr(value, name)) for name in TIMES)
            rows.append(("activity", value.activity_type.name, payload_data(value.input), times))
        elif kind == "start_child_workflow_execution_initiated_event_attributes":
            timeout = duration(value.workflow_run_timeout)
            rows.append(("child", value.workflow_type.name, payload_data(value.input), value.workflow_id, timeout))
        elif kind == "signal_external_workflow_execution_initiated_event_attributes":
            target = value.workflow_execution.workflow_id
            rows.append(("signal", value.signal_name, payload_data(value.input), target))
        elif kind == "workflow_execution_continued_as_new_event_attributes":
            rows.append(("continue", payload_data(value.input)))
    return rows


def differences(history: WorkflowHistory) -> list[str]:
    """What the history says otherwise than the code."""
    run_timeout = duration(history.events[0].workflow_execution_started_event_attributes.workflow_run_timeout)
    said, asked = (Counter(effective(row, run_timeout) for row in rows) for rows in (written(history), recorded))
    found = [f"the history has {row}" for row in said - asked]
    last = history.events[-1]
    if last.WhichOneof("attributes") == "workflow_execution_completed_event_attributes":
        result = payload_data(last.workflow_execution_completed_event_attributes.result)
        if tuple(returned) != result:
            found.append(f"the code returned {returned}, the history has {result}")
    return found


def effective(row: tuple[Any, ...], run_timeout: int) -> tuple[Any, ...]:
    """The row with the times that a server writes: each capped by the wider ones, start-to-close always there."""
    if row[0] != "activity":
        return row
    to_close, to_start, start_to_close, heartbeat = row[3]
    close = capped(start_to_close or to_close, to_close, run_timeout)
    return (
        *row[:3],
        to_start and capped(to_start, to_close, run_timeout),
        close,
        heartbeat and capped(heartbeat, close),
    )


def capped(*times: int) -> int:
    return min(time for time in times if time)


async def replay(module: types.ModuleType, case: dict[str, str]) -> dict[str, Any]:
    recorded.clear()
    returned.clear()
    try:
        history = WorkflowHistory.from_json(case["workflow_id"], case["history"])
        replayer = Replayer(
            workflows=[getattr(module, case["workflow"])],
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[Recorder()],
        )
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    except Exception as error:
        return {"name": case["name"], "failure": repr(error), "strict": []}
    failure = None if result.replay_failure is None else repr(result.replay_failure)
    return {"name": case["name"], "failure": failure, "strict": [] if failure else differences(history)}


async def main(batch: dict[str, Any], text: str) -> None:
    logging.disable(logging.CRITICAL)
    module = types.ModuleType("gallery")
    sys.modules["gallery"] = module
    exec(compile(text, batch["source"], "exec"), module.__dict__)
    for case in batch["cases"]:
        sys.stdout.write("\n" + json.dumps(await replay(module, case)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    portable = Path(given["source"]).read_text(encoding="utf-8")
    asyncio.run(main(given, portable.replace("durable_nb", "temporalio")))
    # Everything is said. The native core's threads outlive the loop, and now and then abort a process that winds down
    # (github.com/temporalio/sdk-python/issues/300), so it ends without winding down.
    os._exit(0)
