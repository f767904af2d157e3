"""Continue-as-new (temporal-semantics 3.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from durable_nb.converter import encode_search_attributes
from durable_nb.model.attributes import WorkflowExecutionContinuedAsNew
from durable_nb.model.enums import ContinueAsNewInitiator
from durable_nb.runtime.activities import microseconds
from durable_nb.runtime.errors import ContinueAsNewError
from durable_nb.runtime.patches import VERSION_ATTRIBUTE

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import ContinueAsNewInput


class Continue(ContinueAsNewError):
    """Carries the input out of workflow code."""

    def __init__(self, run: WorkflowInstance, input: ContinueAsNewInput) -> None:
        super().__init__("Continue as new")
        self.run = run
        self.input = input


def leave(run: WorkflowInstance, input: ContinueAsNewInput) -> NoReturn:
    """The end of the outbound chain."""
    raise Continue(run, input)


def emit(run: WorkflowInstance, input: ContinueAsNewInput) -> None:
    """Emit the command. What is not given is that of this run; input, headers and timers never are."""
    started = run.started
    convert = run.converter.to_payloads
    if input.memo is None:
        memo = dict(run.info().raw_memo) or None
    else:
        memo = {name: convert([value])[0] for name, value in input.memo.items()} or None
    if input.search_attributes is None:
        # The list of patches describes a history, and the next run begins an empty one.
        carried = {k: v for k, v in run.search_attribute_payloads().items() if k != VERSION_ATTRIBUTE}
        attributes = carried or None
    else:
        attributes = encode_search_attributes(input.search_attributes) or None
    issued = run.emit(
        WorkflowExecutionContinuedAsNew(
            workflow_type=input.workflow or run.workflow_type,
            task_queue=input.task_queue or run.task_queue,
            input=convert(input.args) if input.args else None,
            workflow_run_timeout=microseconds(input.run_timeout) or started.workflow_run_timeout,
            workflow_task_timeout=microseconds(input.task_timeout) or started.workflow_task_timeout,
            backoff_start_interval=microseconds(input.backoff_start_interval),
            initiator=ContinueAsNewInitiator.WORKFLOW,
            header=dict(input.headers) if input.headers else None,
            memo=memo,
            search_attributes=attributes,
        )
    )
    policy = input.retry_policy
    issued.retry_policy = started.retry_policy if policy is None else policy.to_attributes()
