"""The exceptions have the constructors, texts and attributes of Temporal's."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import temporalio.exceptions as theirs

import durable_nb.exceptions as ours
from durable_nb.client import WorkflowFailureError, WorkflowQueryRejectedError
from durable_nb.model import enums
from durable_nb.model.failure import Failure
from durable_nb.service import RPCError, RPCStatusCode

BUILD: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "FailureError": (("m",), {}),
    "WorkflowAlreadyStartedError": (("wf", "W"), {"run_id": "r", "first_run_id": "f"}),
    "ApplicationError": (
        ("m", 1, "d"),
        {"type": "T", "non_retryable": True, "next_retry_delay": timedelta(seconds=2), "category": 1},
    ),
    "CancelledError": (("m", 1), {}),
    "TerminatedError": (("m", 1), {}),
    "TimeoutError": (("m",), {"type": 4, "last_heartbeat_details": [1]}),
    "ServerError": (("m",), {"non_retryable": True}),
    "ActivityError": (
        ("m",),
        {
            "scheduled_event_id": 5,
            "started_event_id": 6,
            "identity": "i",
            "activity_type": "A",
            "activity_id": "1",
            "retry_state": 4,
        },
    ),
    "ChildWorkflowError": (
        ("m",),
        {
            "namespace": "n",
            "workflow_id": "w",
            "run_id": "r",
            "workflow_type": "W",
            "initiated_event_id": 5,
            "started_event_id": 6,
            "retry_state": 1,
        },
    ),
}


def parameters(cls: type) -> list[tuple[str, Any, Any]]:
    return [(each.name, each.kind, each.default) for each in inspect.signature(cls).parameters.values()]


@pytest.mark.parametrize("name", BUILD)
def test_each_exception_is_built_and_read_as_in_temporal(name: str) -> None:
    args, keywords = BUILD[name]
    mine, other = getattr(ours, name)(*args, **keywords), getattr(theirs, name)(*args, **keywords)
    assert str(mine) == str(other)
    assert mine.args == other.args
    public = [attribute for attribute in dir(other) if not attribute.startswith("_")]
    for attribute in public:
        value, expected = getattr(mine, attribute), getattr(other, attribute)
        assert callable(value) or value == expected, attribute
    assert [cls.__name__ for cls in type(mine).__mro__] == [cls.__name__ for cls in type(other).__mro__]
    assert parameters(type(mine)) == parameters(type(other))


def test_enumerations_have_the_members_of_temporal() -> None:
    for name in ("TimeoutType", "RetryState", "ApplicationErrorCategory"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert {each.name: each.value for each in mine} == {each.name: each.value for each in other}
        assert mine is getattr(enums, name)


def test_the_text_of_an_application_error_begins_with_its_type() -> None:
    assert str(ours.ApplicationError("no money", type="Declined")) == "Declined: no money"
    assert str(ours.ApplicationError("no money")) == "no money"
    assert ours.ApplicationError("no money", type="Declined").message == "no money"


def test_defaults_are_those_of_temporal() -> None:
    error = ours.ApplicationError("m")
    assert (error.details, error.type, error.non_retryable, error.next_retry_delay) == ((), None, False, None)
    assert error.category is ours.ApplicationErrorCategory.UNSPECIFIED
    assert ours.CancelledError().message == "Cancelled"


def test_cause_is_the_chained_exception() -> None:
    error = ours.ApplicationError("outer")
    assert error.cause is None
    error.__cause__ = inner = ValueError("inner")
    assert error.cause is inner


def test_failure_is_the_record_that_the_exception_came_from() -> None:
    record = Failure(message="m")
    assert ours.FailureError("m", failure=record).failure is record
    assert ours.FailureError("m").failure is None


def wrapped(cls: Any, cause: BaseException | None) -> BaseException:
    args, keywords = BUILD[cls.__name__]
    error: BaseException = cls(*args, **keywords)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncio.CancelledError(), True),
        (ours.CancelledError(), True),
        (wrapped(ours.ActivityError, ours.CancelledError()), True),
        (wrapped(ours.ChildWorkflowError, ours.CancelledError()), True),
        (wrapped(ours.ActivityError, None), False),
        (wrapped(ours.ActivityError, ours.ApplicationError("m")), False),
        (wrapped(ours.ApplicationError, ours.CancelledError()), False),
        (wrapped(ours.ActivityError, wrapped(ours.ActivityError, ours.CancelledError())), False),
        (TimeoutError(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_cancellation_is_recognised_directly_and_behind_activities_and_children(
    error: BaseException, expected: bool
) -> None:
    assert ours.is_cancelled_exception(error) is expected


def test_the_two_timeout_errors_are_different_classes() -> None:
    assert not issubclass(ours.TimeoutError, TimeoutError)
    assert not issubclass(ours.CancelledError, asyncio.CancelledError)


def test_all_names_are_exported() -> None:
    defined = {name for name, value in vars(ours).items() if getattr(value, "__module__", "") == ours.__name__}
    assert defined <= set(ours.__all__)
    assert set(ours.__all__) <= set(dir(theirs))


def test_an_application_error_passes_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(ours.ApplicationError("m", 1, type="T")))
    assert (copy.message, copy.type, copy.details) == ("m", "T", (1,))


def every_error() -> list[BaseException]:
    activity = ours.ActivityError(
        "a",
        scheduled_event_id=5,
        started_event_id=6,
        identity="me",
        activity_type="charge",
        activity_id="1",
        retry_state=ours.RetryState.TIMEOUT,
    )
    activity.__cause__ = ours.ApplicationError("inner", {"x": 1}, type="T", non_retryable=True)
    return [
        activity,
        ours.CancelledError("c", "why"),
        ours.TimeoutError("t", type=ours.TimeoutType.HEARTBEAT, last_heartbeat_details=[1]),
        ours.WorkflowAlreadyStartedError("w", "W", run_id="r"),
        RPCError("m", RPCStatusCode.NOT_FOUND),
        WorkflowFailureError(cause=activity),
        WorkflowQueryRejectedError(None),
    ]


@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_errors_cross_process_borders(copied: Callable[[BaseException], Any]) -> None:
    for error in every_error():
        again = copied(error)
        assert type(again) is type(error)
        assert (str(again), vars(again).keys()) == (str(error), vars(error).keys())
        assert repr(again.__cause__) == repr(error.__cause__)
    again = copied(every_error()[5])
    assert again.cause.activity_type == "charge"
    assert again.cause.cause.details == ({"x": 1},)
