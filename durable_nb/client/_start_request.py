"""From the input of a start to the request that the engine takes; the rules of workflow IDs are checked here.

Rules of policies (temporal-semantics section 6, refused as Temporal's server refuses them):

- TERMINATE_IF_RUNNING is the old spelling of ALLOW_DUPLICATE with TERMINATE_EXISTING, and excludes a conflict policy.
- REJECT_DUPLICATE excludes TERMINATE_EXISTING.
- A start with a signal uses a running workflow unless told otherwise; it cannot FAIL on one.
- A cron schedule excludes a start delay.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.client._calls import new_request_id
from durable_nb.client._inputs import StartWorkflowInput, UpdateWithStartStartWorkflowInput
from durable_nb.client._payloads import encode, encode_fields, encode_metadata
from durable_nb.common import Priority
from durable_nb.converter import encode_search_attributes
from durable_nb.model.enums import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.requests import SignalInput, StartWorkflow
from durable_nb.model.scalars import LONGEST_DURATION
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from typing import NoReturn

    from durable_nb.client._engine_calls import EngineCalls
    from durable_nb.converter import DataConverter
    from durable_nb.model.payload import Payload

_MICROSECOND = timedelta(microseconds=1)


def microseconds(name: str, value: timedelta | None) -> int:
    """Length of a duration, never more than ``LONGEST_DURATION``; 0 for None.

    Raises
    ------
    TypeError
        Not a timedelta.
    RPCError
        INVALID_ARGUMENT: it is negative.
    """
    if value is None:
        return 0
    if not isinstance(value, timedelta):
        raise TypeError(f"{name} must be a timedelta, not {type(value).__name__}: write timedelta(seconds={value!r})")
    length = value // _MICROSECOND
    if length < 0:
        _refuse(f"{name} must not be negative, but is {value}")
    return min(length, LONGEST_DURATION)


async def start_request(
    calls: EngineCalls, input: StartWorkflowInput | UpdateWithStartStartWorkflowInput
) -> StartWorkflow:
    """The request of a start, with or without a signal.

    Raises
    ------
    RPCError
        INVALID_ARGUMENT: policies or timeouts that exclude each other.
    """
    converter = calls._client.converter_for(input.id)
    request = StartWorkflow(
        calls.namespace,
        input.id,
        input.workflow,
        input.task_queue,
        # The input of a start without arguments is an empty list, not a null payload.
        await encode(converter, input.args) if input.args else [],
        identity=calls.identity,
        request_id=new_request_id(),
    )
    if input.headers:
        request.header = await calls.headers(input.headers)
    signal = getattr(input, "start_signal", None)
    if signal is not None:
        request.signal = await _signal(converter, input, signal, request.header)
    _set_policies(request, input)
    _set_durations(request, input)
    if input.retry_policy is not None:
        request.retry_policy = input.retry_policy.to_attributes()
    if input.memo is not None:
        request.memo = await encode_fields(converter, input.memo)
    if input.search_attributes is not None:
        request.search_attributes = encode_search_attributes(input.search_attributes)
    if input.static_summary is not None or input.static_details is not None:
        request.user_metadata = await encode_metadata(converter, input.static_summary, input.static_details)
    if input.priority is not Priority.default:
        request.priority = input.priority.to_attributes()
    return request


async def _signal(converter: DataConverter, input: Any, name: str, request_header: dict[str, Payload]) -> SignalInput:
    args = await encode(converter, input.start_signal_args) if input.start_signal_args else []
    return SignalInput(name, args, request_header, new_request_id())


def _set_durations(request: StartWorkflow, input: StartWorkflowInput | UpdateWithStartStartWorkflowInput) -> None:
    if input.execution_timeout is not None:
        request.execution_timeout = microseconds("execution_timeout", input.execution_timeout)
    if input.run_timeout is not None:
        request.run_timeout = microseconds("run_timeout", input.run_timeout)
    if input.task_timeout is not None:
        request.task_timeout = microseconds("task_timeout", input.task_timeout)
    if input.start_delay is not None:
        request.start_delay = microseconds("start_delay", input.start_delay)
        if input.cron_schedule and request.start_delay:
            _refuse("cron_schedule and start_delay cannot be used together")
    request.cron_schedule = input.cron_schedule


def _set_policies(request: StartWorkflow, input: StartWorkflowInput | UpdateWithStartStartWorkflowInput) -> None:
    reuse, conflict = input.id_reuse_policy, input.id_conflict_policy
    if reuse is WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
        if conflict is not WorkflowIDConflictPolicy.UNSPECIFIED:
            _refuse(
                f"id_reuse_policy TERMINATE_IF_RUNNING cannot be combined with id_conflict_policy {conflict.name}: "
                "write id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING alone"
            )
        reuse, conflict = WorkflowIDReusePolicy.ALLOW_DUPLICATE, WorkflowIDConflictPolicy.TERMINATE_EXISTING
    elif reuse is WorkflowIDReusePolicy.REJECT_DUPLICATE and conflict is WorkflowIDConflictPolicy.TERMINATE_EXISTING:
        _refuse("id_reuse_policy REJECT_DUPLICATE cannot be combined with id_conflict_policy TERMINATE_EXISTING")
    if request.signal is not None:
        if conflict is WorkflowIDConflictPolicy.FAIL:
            _refuse("id_conflict_policy FAIL cannot be combined with start_signal, which is for running workflows too")
        if conflict is WorkflowIDConflictPolicy.UNSPECIFIED:
            conflict = WorkflowIDConflictPolicy.USE_EXISTING
    request.id_reuse_policy, request.id_conflict_policy = reuse, conflict


def _refuse(message: str) -> NoReturn:
    raise RPCError(message, RPCStatusCode.INVALID_ARGUMENT)
