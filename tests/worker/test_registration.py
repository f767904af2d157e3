"""What a worker refuses at construction, with the errors of the SDK."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.common import RawValue
from durable_nb.worker._registration import check_activities, check_executor
from durable_nb.worker._tuning import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    WorkerTuner,
    slots_of,
)
from durable_nb.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher, SandboxRestrictions


@activity.defn
async def one() -> None: ...


@activity.defn(name="one")
async def another_one() -> None: ...


@activity.defn
def in_thread() -> None: ...


@activity.defn(dynamic=True)
async def dynamic(args: Sequence[RawValue]) -> None: ...


@activity.defn(dynamic=True)
async def second_dynamic(args: Sequence[RawValue]) -> None: ...


@activity.defn
class Callable:
    async def __call__(self) -> None: ...


class Shop:
    @activity.defn
    async def sell(self) -> None: ...


class Other(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("activities", "error", "message"),
    [
        ([one, another_one], ValueError, "More than one activity named one"),
        ([dynamic, second_dynamic], TypeError, "More than one dynamic activity"),
        ([len], TypeError, "Activity len missing attributes, was it decorated with @activity.defn"),
        ([Callable], TypeError, "Activity named Callable is a class instead of an instance"),
        ([in_thread], ValueError, "in_thread is not async so an activity_executor must be present"),
    ],
)
def test_activities_that_cannot_be_served_are_refused(activities: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_activities(activities, None, None)


def test_activities_that_can_be_served_pass() -> None:
    with ThreadPoolExecutor(1) as pool:
        check_activities([one, dynamic, in_thread, Callable(), Shop().sell], pool, None)


def test_a_method_of_no_instance_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="did you mean to register it from an instance"):
        check_activities([Shop.sell], None, None)


def test_executors_other_than_threads_need_shared_state_and_picklable_activities() -> None:
    with pytest.raises(ValueError, match="so a shared_state_manager must be present"):
        check_activities([in_thread], Other(), None)

    @activity.defn
    def local_function() -> None: ...

    state: Any = object()
    check_activities([local_function], Other(), state)
    with ProcessPoolExecutor(1) as pool:
        check_activities([in_thread], pool, state)
        with pytest.raises(TypeError, match="local_function must be picklable when using a process executor"):
            check_activities([local_function], pool, state)


def test_an_executor_that_is_too_small_is_warned_of() -> None:
    with ThreadPoolExecutor(2) as pool:
        with pytest.warns(
            UserWarning, match="max_concurrent_activities is 5 but activity_executor's max_workers is only"
        ):
            check_executor(pool, 5, None)
        with pytest.warns(UserWarning, match="is 3 but"):
            check_executor(pool, None, WorkerTuner.create_fixed(activity_slots=3))
        with warnings.catch_warnings():
            check_executor(pool, 2, None)
            check_executor(None, 5, None)


def test_suppliers_count_as_fixed_numbers() -> None:
    targets = ResourceBasedTunerConfig(0.5, 0.5)
    assert slots_of(FixedSizeSlotSupplier(7)) == 7
    assert slots_of(ResourceBasedSlotSupplier(ResourceBasedSlotConfig(), targets)) == 500
    assert slots_of(ResourceBasedSlotSupplier(ResourceBasedSlotConfig(maximum_slots=9), targets)) == 9
    tuner = WorkerTuner.create_resource_based(target_memory_usage=0.5, target_cpu_usage=0.5)
    assert slots_of(tuner._get_activity_task_slot_supplier()) == 500

    class Mine(CustomSlotSupplier):
        async def reserve_slot(self, ctx: Any) -> Any: ...

        def try_reserve_slot(self, ctx: Any) -> Any: ...

        def mark_slot_used(self, ctx: Any) -> None: ...

        def release_slot(self, ctx: Any) -> None: ...

    assert slots_of(Mine()) is None


def test_sandbox_restrictions_can_be_written_down() -> None:
    restrictions = SandboxRestrictions.default.with_passthrough_modules("numpy", "pandas")
    assert {"numpy", "pandas"} <= restrictions.passthrough_modules
    assert "numpy" not in SandboxRestrictions.default.passthrough_modules
    assert restrictions.with_passthrough_all_modules().passthrough_all_modules
    assert SandboxedWorkflowRunner(restrictions=restrictions).restrictions is restrictions
    nested = SandboxMatcher.nested_child(["a", "b"], SandboxMatcher.all)
    assert nested.children["a"].children["b"].match_self
    assert "b" not in nested.with_child_unrestricted("a", "b").children["a"].children
    assert (nested | SandboxMatcher(use={"x"})).use == {"x"}
