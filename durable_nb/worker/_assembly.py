"""From the configuration of a worker to its parts: runtime host, activity executor, port.

Used by ``Worker`` and by the embedded worker of notebooks, so that both mean the same by the same option.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from durable_nb.model.requests import ActivityReference
from durable_nb.policies import HeaderCodecBehavior
from durable_nb.runtime.host import WorkflowHost
from durable_nb.runtime.interceptor import WorkflowInboundInterceptor, WorkflowInterceptorClassInput
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.worker._activity import ActivityExecutor, OpenOutput
from durable_nb.worker._heartbeat import HeartbeatTiming, SendHeartbeat
from durable_nb.worker._interceptor import Interceptor
from durable_nb.worker._output import captures_output
from durable_nb.worker._port import HostPort
from durable_nb.worker._tuning import DEFAULT_SLOTS, SlotSupplier, slots_of

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.engine.outputs import AttemptOutput
    from durable_nb.model.payload import Payload
    from durable_nb.model.tasks import ActivityTask, HeartbeatReply
    from durable_nb.worker._config import WorkerConfig

UNLIMITED = 1 << 30
DEADLOCK_SECONDS = 2.0


def build_port(
    config: WorkerConfig,
    *,
    guards: bool,
    on_fatal: Callable[[BaseException], None] | None = None,
    takes_anything: bool = True,
    default_slots: int = DEFAULT_SLOTS,
) -> HostPort:
    """The port of a worker that is not registered yet and has no definitions.

    Parameters
    ----------
    guards
        Refuse clock, randomness and I/O in workflow code.
    takes_anything
        Take tasks of unknown types, and fail them, if there is any definition of the kind.
    default_slots
        Activities at a time where the configuration names no number.
    """
    client = config["client"]
    interceptors = worker_interceptors(client, config.get("interceptors", ()))
    header_codec = client.config(active_config=True).get("header_codec_behavior")
    executor = _executor(config, interceptors, header_codec is HeaderCodecBehavior.CODEC, on_fatal, default_slots)
    tuner = config.get("tuner")
    return HostPort(
        namespace=client.namespace,
        task_queue=config["task_queue"],
        identity=config.get("identity") or client.identity,
        host=_host(config, interceptors, guards, executor),
        executor=executor,
        data_converter=client.data_converter,
        now=clock_of(client),
        any_workflow=takes_anything and bool(config.get("workflows")),
        any_activity=takes_anything and bool(config.get("activities")),
        serve_activities=not config.get("no_remote_activities", False),
        max_local_activities=_slots(
            config.get("max_concurrent_local_activities"),
            None if tuner is None else tuner._get_local_activity_task_slot_supplier(),
            default_slots,
        ),
        decode_headers=header_codec in (HeaderCodecBehavior.CODEC, HeaderCodecBehavior.WORKFLOW_ONLY_CODEC),
    )


def _executor(
    config: WorkerConfig,
    interceptors: Sequence[Interceptor],
    decode_headers: bool,
    on_fatal: Callable[[BaseException], None] | None,
    default_slots: int,
) -> ActivityExecutor:
    client, tuner = config["client"], config.get("tuner")
    return ActivityExecutor(
        task_queue=config["task_queue"],
        data_converter=client.data_converter,
        send_heartbeat=heartbeat_sender(client),
        executor=config.get("activity_executor"),
        shared_state=config.get("shared_state_manager"),
        interceptors=interceptors,
        client=client,
        max_concurrent=_slots(
            config.get("max_concurrent_activities"),
            None if tuner is None else tuner._get_activity_task_slot_supplier(),
            default_slots,
        ),
        timing=HeartbeatTiming(
            default_interval=_seconds(config.get("default_heartbeat_throttle_interval"), 30.0),
            max_interval=_seconds(config.get("max_heartbeat_throttle_interval"), 60.0),
        ),
        decode_headers=decode_headers,
        on_fatal=on_fatal,
        open_output=output_opener(client) if captures_output() else None,
    )


def _host(
    config: WorkerConfig, interceptors: Sequence[Interceptor], guards: bool, executor: ActivityExecutor
) -> WorkflowHost:
    converter = config["client"].data_converter
    classes, extern_functions = workflow_interceptors(interceptors)
    debug = config.get("debug_mode", False) or bool(os.environ.get("TEMPORAL_DEBUG"))
    return WorkflowHost(
        RuntimeOptions(
            payload_converter=converter.payload_converter,
            failure_converter=converter.failure_converter,
            interceptor_classes=classes,
            extern_functions=extern_functions,
            failure_exception_types=tuple(config.get("workflow_failure_exception_types", ())),
            guards=guards,
            deadlock_timeout=None if debug else DEADLOCK_SECONDS,
            check_local_activity=local_activity_check(executor),
            max_cached_workflows=config.get("max_cached_workflows", 1000),
        )
    )


def worker_interceptors(client: Client, given: Sequence[Interceptor]) -> list[Interceptor]:
    """The client's interceptors that are worker interceptors too, then the worker's own; the first is outermost."""
    return [each for each in client.config(active_config=True)["interceptors"] if isinstance(each, Interceptor)] + [
        *given
    ]


def workflow_interceptors(
    interceptors: Sequence[Interceptor],
) -> tuple[list[type[WorkflowInboundInterceptor]], dict[str, Callable[..., Any]]]:
    """Classes of workflow interceptors, outermost first, and the functions they add."""
    extern_functions: dict[str, Callable[..., Any]] = {}
    wanted = WorkflowInterceptorClassInput(unsafe_extern_functions=extern_functions)
    classes = [each.workflow_interceptor_class(wanted) for each in interceptors]
    return [each for each in classes if each is not None], extern_functions


def heartbeat_sender(client: Client) -> SendHeartbeat:
    """Heartbeats to the client's engine, which a lazy client opens at the first one."""
    namespace = client.namespace

    async def send(task_token: bytes, details: list[Payload]) -> HeartbeatReply:
        reference = ActivityReference(namespace, task_token)
        reply: HeartbeatReply = await client.frontend.heartbeat_activity(reference, details)
        return reply

    return send


def output_opener(client: Client) -> OpenOutput:
    """Where the attempts of the client's engine keep their output."""

    def open_output(task: ActivityTask) -> AttemptOutput | None:
        # Tests run workers on engines that are only pretended.
        engine = getattr(client.engine, "engine", None)
        return None if engine is None else cast("AttemptOutput | None", engine.outputs.open(task))

    return open_output


def clock_of(client: Client) -> Callable[[], int]:
    """The clock of the client's engine, which a lazy client opens when it is first read."""

    def now() -> int:
        return client.engine.clock.now()

    return now


def local_activity_check(executor: ActivityExecutor) -> Callable[[str], None]:
    """Raises ValueError for local activities that this worker does not have."""

    def check(activity_type: str) -> None:
        if not executor.serves(activity_type):
            raise ValueError(executor.not_registered(activity_type))

    return check


def _slots(number: int | None, supplier: SlotSupplier | None, default: int) -> int:
    if supplier is not None:
        return slots_of(supplier) or UNLIMITED
    return number or default


def _seconds(value: timedelta | None, default: float) -> float:
    return default if value is None else value.total_seconds()
