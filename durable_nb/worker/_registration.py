"""What a worker checks of the activities, executor and workflows it is given, and the errors that say what is wrong.

Rules and error types: temporal-semantics section 7.
"""

from __future__ import annotations

import concurrent.futures
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.activity._definition import ActivityDefinition, must_have_definition
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.worker._tuning import WorkerTuner, slots_of

if TYPE_CHECKING:
    from durable_nb.worker._shared_state import SharedStateManager


def check_activities(
    activities: Sequence[Callable[..., Any]],
    executor: concurrent.futures.Executor | None,
    shared_state: SharedStateManager | None,
) -> None:
    """Check each activity by itself and all of them together.

    Raises
    ------
    TypeError
        Undecorated, a class instead of an instance, not picklable for a process pool, or a second dynamic one.
    ValueError
        A name twice; a sync activity without executor, or with one of processes and no shared state manager.
    """
    names: set[str | None] = set()
    for activity in activities:
        definition = must_have_definition(activity)
        if definition.name in names:
            if definition.name is None:
                raise TypeError("More than one dynamic activity")
            raise ValueError(f"More than one activity named {definition.name}")
        names.add(definition.name)
        if inspect.isclass(activity):
            raise TypeError(
                f"Activity named {definition.name} is a class instead of an instance: register "
                f"{activity.__name__}(...), with its arguments"
            )
        if inspect.isfunction(activity) and definition.is_method:
            warnings.warn(
                f"Activity named {definition.name} has a first parameter named self but is not bound to an instance, "
                "did you mean to register it from an instance of the class?",
                stacklevel=4,
            )
        if not definition.is_async:
            _check_sync(definition, executor, shared_state)


def _check_sync(
    definition: ActivityDefinition,
    executor: concurrent.futures.Executor | None,
    shared_state: SharedStateManager | None,
) -> None:
    name = definition.name or "(dynamic)"
    if executor is None:
        raise ValueError(
            f"Activity {name} is not async so an activity_executor must be present: pass "
            "activity_executor=concurrent.futures.ThreadPoolExecutor()"
        )
    if isinstance(executor, concurrent.futures.ThreadPoolExecutor):
        return
    if shared_state is None:
        raise ValueError(
            f"Activity {name} is not async and executor is not thread-pool executor, so a shared_state_manager must "
            "be present: pass SharedStateManager.create_from_multiprocessing(multiprocessing.Manager())"
        )
    if isinstance(executor, concurrent.futures.ProcessPoolExecutor) and definition.fn.__module__ != "__main__":
        import pickle  # noqa: PLC0415 - who has such an executor has imported it

        try:
            pickle.dumps(definition.fn)
        except Exception as error:
            raise TypeError(f"Activity {name} must be picklable when using a process executor") from error


def check_workflows(workflows: Sequence[type]) -> list[WorkflowDefinition]:
    """Definitions of the classes.

    Raises
    ------
    ValueError
        Undecorated, or a name twice.
    TypeError
        More than one dynamic workflow.
    """
    names: set[str | None] = set()
    definitions = [WorkflowDefinition.must_from_class(workflow) for workflow in workflows]
    for definition in definitions:
        if definition.name in names:
            if definition.name is None:
                raise TypeError("More than one dynamic workflow")
            raise ValueError(f"More than one workflow named {definition.name}")
        names.add(definition.name)
    return definitions


def check_executor(
    executor: concurrent.futures.Executor | None, max_concurrent: int | None, tuner: WorkerTuner | None
) -> None:
    """Refuse executors that cannot work, warn of one that is too small for the activities at a time."""
    pool = getattr(concurrent.futures, "InterpreterPoolExecutor", None)
    if pool is not None and isinstance(executor, pool):
        raise ValueError(
            "InterpreterPoolExecutor is not supported as an activity_executor. "
            "Use ThreadPoolExecutor or ProcessPoolExecutor instead."
        )
    if tuner is not None:
        max_concurrent = slots_of(tuner._get_activity_task_slot_supplier()) or max_concurrent
    workers = getattr(executor, "_max_workers", None)
    if isinstance(workers, int) and workers < (max_concurrent or 0):
        warnings.warn(
            f"Worker max_concurrent_activities is {max_concurrent} but activity_executor's max_workers is only "
            f"{workers}",
            stacklevel=4,
        )
