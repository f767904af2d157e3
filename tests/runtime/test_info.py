"""What a run knows about itself: info, memo, search attributes, randomness, logger, details."""

from __future__ import annotations

import logging
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.common import SearchAttributeKey
from durable_nb.exceptions import ApplicationError
from durable_nb.model import attributes as a
from durable_nb.model.failure import WorkflowExecution
from durable_nb.runtime.siphash import randomness_seed
from tests.runtime import stories
from tests.runtime.driver import SECOND, START, Driver, failure, payloads

SHORT = timedelta(seconds=10)
STAGE = SearchAttributeKey.for_keyword("Stage")
COUNT = SearchAttributeKey.for_int("Count")
caught: list[Any] = []


@workflow.defn
class Asks:
    @workflow.run
    async def run(self) -> None:
        caught.append(workflow.info())
        caught.append([workflow.info().get_current_history_length(), workflow.info().get_current_history_size()])
        caught.append(workflow.info().is_continue_as_new_suggested())


@workflow.defn
class Upserts:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = [dict(workflow.memo()), workflow.memo_value("count", type_hint=int)]
        workflow.upsert_memo({"count": 2, "gone": None, "new": "x"})
        seen.append(dict(workflow.memo()))
        seen.append(workflow.memo_value("missing", "default"))
        try:
            workflow.memo_value("missing")
        except KeyError:
            seen.append("KeyError")
        workflow.upsert_search_attributes([STAGE.value_set("two"), COUNT.value_unset()])
        seen.append([workflow.info().typed_search_attributes.get(STAGE), len(workflow.info().typed_search_attributes)])
        seen.append(dict(workflow.info().search_attributes))
        workflow.upsert_memo({})
        workflow.upsert_search_attributes([])
        workflow.set_current_details("half way")
        seen.append(workflow.get_current_details())
        return seen


@workflow.defn
class OldForm:
    @workflow.run
    async def run(self) -> list[Any]:
        workflow.upsert_search_attributes({"Stage": ["three"], "Count": []})
        return [workflow.info().typed_search_attributes.get(STAGE), workflow.info().search_attributes["Count"]]


@workflow.defn
class Earlier:
    @workflow.run
    async def run(self) -> list[Any]:
        error = workflow.get_last_failure()
        assert isinstance(error, ApplicationError)
        return [workflow.has_last_completion_result(), workflow.get_last_completion_result(set), error.message]


@workflow.defn
class Logs:
    @workflow.run
    async def run(self) -> None:
        workflow.logger.info("begins %s", "now", extra={"mine": 1})
        await workflow.sleep(1)
        workflow.logger.warning("goes on")
        await workflow.sleep(1)

    @workflow.query
    def peek(self) -> None:
        workflow.logger.info("asked")

    @workflow.update
    def change(self) -> None:
        workflow.logger.info("changed")


@workflow.defn
class Dice:
    @workflow.run
    async def run(self) -> list[Any]:
        found: list[Any] = [workflow.random_seed(), str(workflow.uuid4()), str(workflow.uuid7())]
        named = workflow.new_random("x")
        found.append(named.random())
        workflow.register_random_seed_callback(found.append)
        await workflow.sleep(1)
        found += [workflow.random().random(), named.random()]
        return found


def test_info_tells_what_the_started_event_says() -> None:
    caught.clear()
    d = Driver(
        Asks,
        started={
            "attempt": 3,
            "continued_execution_run_id": "before",
            "cron_schedule": "@daily",
            "workflow_execution_timeout": SECOND,
            "workflow_run_timeout": 2 * SECOND,
            "workflow_task_timeout": 3 * SECOND,
            "parent_workflow_namespace": "default",
            "parent_workflow_execution": WorkflowExecution("parent", "parent-run"),
            "root_workflow_execution": WorkflowExecution("root", "root-run"),
            "retry_policy": a.RetryPolicyAttributes(initial_interval=SECOND, backoff_coefficient=2.0),
            "priority": a.PriorityAttributes(priority_key=1),
            "header": {"trace": payloads("t")[0]},
        },
    )
    d.task()
    info: workflow.Info = caught[0]
    assert (info.attempt, info.continued_run_id, info.cron_schedule) == (3, "before", "@daily")
    assert (info.execution_timeout, info.run_timeout, info.task_timeout) == tuple(
        timedelta(seconds=n) for n in (1, 2, 3)
    )
    assert info.parent == workflow.ParentInfo("default", "parent-run", "parent")
    assert info.root == workflow.RootInfo("root-run", "root")
    assert info.retry_policy is not None
    assert info.retry_policy.initial_interval == timedelta(seconds=1)
    assert info.priority.priority_key == 1
    assert list(info.headers) == ["trace"]
    assert (info.namespace, info.workflow_id, info.run_id) == ("default", "workflow-1", "run-1")
    assert (info.workflow_type, info.task_queue) == ("Asks", "queue")
    assert info.workflow_start_time == datetime.fromtimestamp((START + SECOND) / 1e6, UTC)
    assert info.start_time == datetime.fromtimestamp((START + 3 * SECOND) / 1e6, UTC)
    assert caught[1] == [3, 1000]
    assert caught[2] is False


def test_upserts_show_at_once_and_come_in_the_order_of_the_calls() -> None:
    d = Driver(
        Upserts,
        started={
            "memo": {"count": payloads(1)[0], "gone": payloads("g")[0]},
            "search_attributes": {"Count": _attribute(b"5", b"Int")},
        },
    )
    d.task()
    assert d.commands() == [
        "WorkflowPropertiesModified",
        "UpsertWorkflowSearchAttributes",
        "WorkflowExecutionCompleted",
    ]
    assert d.result == [
        {"count": 1, "gone": "g"},
        1,
        {"count": 2, "new": "x"},
        "default",
        "KeyError",
        ["two", 1],
        {"Count": [], "Stage": ["two"]},
        "half way",
    ]
    assert d.details == "half way"


def _attribute(data: bytes, kind: bytes) -> Any:
    from durable_nb.model.payload import Payload

    return Payload(metadata={"encoding": b"json/plain", "type": kind}, data=data)


def test_the_old_form_of_search_attributes_works_and_is_deprecated() -> None:
    d = Driver(OldForm)
    with pytest.warns(DeprecationWarning, match="Dictionary-based"):
        d.task()
    assert d.result == ["three", []]


def test_a_run_sees_result_and_failure_of_the_run_before() -> None:
    d = Driver(Earlier, started={"last_completion_result": payloads([1, 1]), "continued_failure": failure("last time")})
    d.task()
    assert d.result == [True, [1], "last time"]


def test_the_logger_adds_the_run_and_is_silent_in_replay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    d = Driver(Logs)
    d.task()
    record = caplog.records[0]
    details = {
        "attempt": 1,
        "namespace": "default",
        "run_id": "run-1",
        "task_queue": "queue",
        "workflow_id": "workflow-1",
        "workflow_type": "Logs",
    }
    assert record.name == "durable_nb.workflow"
    assert record.message == f"begins now ({details})"
    assert record.temporal_workflow == details  # type: ignore[attr-defined]
    assert record.mine == 1  # type: ignore[attr-defined]
    assert record.funcName == "run"
    d.forget()
    d.fire()
    d.task()
    assert [r.message.split(" (")[0] for r in caplog.records] == ["begins now", "goes on"]
    d.forget()
    d.query("peek")
    assert caplog.records[-1].message.startswith("asked")
    d.update("u-1", "change")
    d.task()
    assert caplog.records[-1].temporal_workflow["update_id"] == "u-1"  # type: ignore[attr-defined]


def test_randomness_is_that_of_the_run_id() -> None:
    d = Driver(Dice, run_id="my-run")
    d.task()
    d.fire()
    d.task()
    seed, first, second, named, later, named_later = d.result
    generator = random.Random(randomness_seed("my-run"))
    assert seed == randomness_seed("my-run")
    assert uuid.UUID(first) == uuid.UUID(bytes=generator.getrandbits(128).to_bytes(16, "big"), version=4)
    made = uuid.UUID(second)
    assert (made.version, made.int >> 80) == (7, (START + 3 * SECOND) // 1000)
    assert (made.int >> 64) & 0xFFF == generator.getrandbits(12)
    assert made.int & (1 << 62) - 1 == generator.getrandbits(62)
    assert later == generator.random()
    other = random.Random(f"{seed}:x")
    assert [named, named_later] == [other.random(), other.random()]


def test_a_reset_gives_a_new_seed_from_its_point_on() -> None:
    d = stories.reset()
    ids = [e.attributes.activity_id for e in d.events if isinstance(e.attributes, a.ActivityTaskScheduled)]
    old = random.Random(randomness_seed("run-1"))
    assert ids[0] == str(uuid.UUID(bytes=old.getrandbits(128).to_bytes(16, "big"), version=4))
    new = random.Random(randomness_seed("run-2"))
    assert uuid.UUID(ids[1]).int >> 64 & 0xFFF == new.getrandbits(12)
    assert d.replay().failure is None


def test_seed_callbacks_are_told_of_a_reset() -> None:
    from durable_nb.model.enums import WorkflowTaskFailedCause

    d = Driver(Dice)
    d.task()
    d.fire()
    d.schedule()
    d.fail_task(WorkflowTaskFailedCause.RESET_WORKFLOW)
    d.events[-1].attributes.new_run_id = "run-2"  # type: ignore[attr-defined]
    d.task()
    assert d.result[4] == randomness_seed("run-2")
