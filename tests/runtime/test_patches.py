from __future__ import annotations

import json
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.model import attributes as a
from durable_nb.model.payload import Payload
from tests.runtime.driver import Driver


@workflow.defn(name="Flow")
class Before:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        return "old"


@workflow.defn(name="Flow")
class Patched:
    @workflow.run
    async def run(self) -> str:
        if workflow.patched("p"):
            workflow.upsert_memo({"new": 1})
        await workflow.sleep(1)
        return "new" if workflow.patched("p") else "old"


@workflow.defn(name="Flow")
class Deprecated:
    @workflow.run
    async def run(self) -> str:
        workflow.deprecate_patch("p")
        workflow.upsert_memo({"new": 1})
        await workflow.sleep(1)
        return "new"


@workflow.defn(name="Flow")
class After:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_memo({"new": 1})
        await workflow.sleep(1)
        return "new"


@workflow.defn(name="Flow")
class Late:
    """Calls ``patched`` for the first time after the point up to which the history goes."""

    @workflow.run
    async def run(self) -> list[bool]:
        await workflow.sleep(1)
        first = workflow.patched("p")
        await workflow.sleep(1)
        return [first, workflow.patched("p")]


@workflow.defn
class Many:
    @workflow.run
    async def run(self, ids: list[str]) -> None:
        for each in ids:
            workflow.patched(each)


def story(workflow_class: Any) -> Driver:
    d = Driver(workflow_class)
    d.task()
    d.fire()
    d.task()
    return d


def test_a_new_run_takes_the_new_path_and_records_marker_and_upsert() -> None:
    d = story(Patched)
    assert d.result == "new"
    assert d.kinds(5)[:3] == ["MarkerRecorded", "UpsertWorkflowSearchAttributes", "WorkflowPropertiesModified"]
    marker: Any = d.of(a.MarkerRecorded).attributes
    assert marker.marker_name == "core_patch"
    assert json.loads(marker.details["patch-data"][0].data) == {"id": "p", "deprecated": False}
    upsert: Any = d.of(a.UpsertWorkflowSearchAttributes).attributes
    assert json.loads(upsert.search_attributes["TemporalChangeVersion"].data) == ["p"]


@pytest.mark.parametrize(
    ("recorded", "code", "agrees"),
    [
        (Before, Patched, True),
        (Patched, Patched, True),
        (Patched, Deprecated, True),
        (Deprecated, Deprecated, True),
        (Deprecated, After, True),
        (After, Deprecated, True),
        (Patched, After, False),
        (Patched, Before, False),
        (After, Patched, False),
    ],
)
def test_the_matrix_of_histories_and_code(recorded: Any, code: Any, agrees: bool) -> None:
    failure = story(recorded).replay(code).failure
    assert (failure is None) is agrees
    assert agrees or isinstance(failure, workflow.NondeterminismError)


def test_the_first_answer_sticks_even_when_the_run_comes_out_of_replay() -> None:
    d = Driver(Late)
    d.task()
    d.fire()
    d.task()
    d.forget()
    d.fire("2")
    d.task()
    assert d.result == [True, True]
    old = Driver(Before)
    old.task()
    old.fire()
    assert old.replay(Late).failure is None


@pytest.mark.parametrize(("flag", "agrees"), [(b"\x00", False), (b"\x01", True)])
def test_the_marker_of_the_first_releases_is_read(flag: bytes, agrees: bool) -> None:
    d = story(Patched)
    marker: Any = d.of(a.MarkerRecorded).attributes
    plain = {"encoding": b"binary/plain"}
    marker.details = {
        "patch_id": [Payload(metadata=plain, data=b"p")],
        "deprecated": [Payload(metadata=plain, data=flag)],
    }
    assert d.replay(Patched).failure is None
    assert (d.replay(After).failure is None) is agrees


def test_the_upsert_lists_all_patches_so_far_and_is_left_out_when_it_grows_too_long() -> None:
    ids = [f"patch-{n:04d}" for n in range(200)]
    d = Driver(Many, ids)
    d.task()
    upserts = [e.attributes for e in d.events if isinstance(e.attributes, a.UpsertWorkflowSearchAttributes)]
    lists = [json.loads(each.search_attributes["TemporalChangeVersion"].data) for each in upserts]  # type: ignore[index]
    assert lists[2] == ids[:3]
    assert len(json.dumps(lists[-1], separators=(",", ":"))) < 2048
    assert sum(isinstance(e.attributes, a.MarkerRecorded) for e in d.events) == 200
    assert len(upserts) < 200
    assert d.replay().failure is None


def test_without_core_flag_2_a_marker_stands_alone() -> None:
    d = story(Patched)
    completed = d.of(a.WorkflowTaskCompleted, started_event_id=3).attributes
    completed.sdk_metadata.core_used_flags = [1, 3]  # type: ignore[attr-defined,union-attr]
    assert isinstance(d.replay().failure, workflow.NondeterminismError)
