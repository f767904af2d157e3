"""Resets, forks and retries: made of options, on code that fits what is kept of the history; and found in histories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from durable_nb.client._naming import arg_unset
from durable_nb.client._payloads import encode, encode_fields
from durable_nb.client._travel import fitting_digest, task_that_diverges
from durable_nb.core.branch import FORK_MEMO
from durable_nb.model.attributes import WorkflowTaskFailed
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.requests import Branched, ForkWorkflow, ReadHistory, ResetTo, ResetWorkflow, RetryWorkflow, Target

if TYPE_CHECKING:
    from durable_nb.client._client import Client

BranchRequest = ResetWorkflow | ForkWorkflow | RetryWorkflow


class Ancestor(NamedTuple):
    """A run that another one goes on from.

    ``event_id`` is the event of the newer run at which it began to go its own way; ``reason`` says why, and of a fork
    also from where.
    """

    run_id: str
    event_id: int
    reason: str


async def read_lineage(client: Client, target: Target) -> list[Ancestor]:
    """``WorkflowHandle.lineage``."""
    events = (await client.frontend.read_history(ReadHistory(target))).events
    found = [event for event in events if isinstance(event.attributes, WorkflowTaskFailed)]
    return [
        Ancestor(e.attributes.base_run_id, e.event_id, (e.attributes.failure or Failure()).message)
        for e in found
        if e.attributes.cause is WorkflowTaskFailedCause.RESET_WORKFLOW
    ]


async def branch(client: Client, verb: str, target: Target, options: Mapping[str, Any]) -> Branched:
    """Do it, with the options of ``WorkflowHandle.reset``, ``fork`` or ``retry``, on code that fits.

    That is the current version, else the one that the old run is pinned to.

    Raises
    ------
    ValueError, TypeError
        Options that contradict each other, or an unknown one.
    """
    request = await _request(client, verb, target, options)
    preview: Branched = await client.frontend.preview_branch(request)
    if preview.events:
        digest = await fitting_digest(client, request.target, preview)
        request = msgspec.structs.replace(request, definition=digest)
    if isinstance(request, ForkWorkflow):
        origin: dict[str, Any] = {
            "workflowId": request.target.workflow_id,
            "runId": preview.base_run_id,
            "eventId": preview.event_id,
        }
        if preview.changed:
            origin["changed"] = preview.changed
        request.memo = await encode_fields(client.converter_for(preview.workflow_id), {FORK_MEMO: origin})
    made: Branched = await client.frontend.branch_workflow(request)
    return made


async def preview_branch(client: Client, verb: str, target: Target, options: Mapping[str, Any]) -> Branched:
    """What ``branch`` would do; nothing is written. Errors as there."""
    request = await _request(client, verb, target, options)
    preview: Branched = await client.frontend.preview_branch(request)
    if preview.events:
        await fitting_digest(client, request.target, preview)
    return preview


async def _request(client: Client, verb: str, target: Target, options: Mapping[str, Any]) -> BranchRequest:
    make: Callable[..., Awaitable[BranchRequest]] = _REQUESTS[verb]
    return await make(client, target, **options)


async def _reset_request(
    client: Client,
    target: Target,
    *,
    event_id: int | None = None,
    activity_id: str = "",
    first_task: bool = False,
    last_task: bool = False,
    diverging: bool = False,
    bad_definition: str = "",
    reason: str = "",
    reapply_signals: bool = True,
    reapply_updates: bool = True,
) -> ResetWorkflow:
    if sum([event_id is not None, bool(activity_id), first_task, last_task, diverging, bool(bad_definition)]) != 1:
        raise ValueError(
            "give exactly one of event_id, activity_id, first_task, last_task, diverging and bad_definition"
        )
    if diverging or bad_definition:
        event_id, last_task = await _point_of_the_code(client, target, bad_definition)
    to = ResetTo.FIRST_TASK if first_task else ResetTo.LAST_TASK if last_task else None
    return ResetWorkflow(
        target, event_id or 0, reason, reapply_signals, client.identity, reapply_updates, activity_id, to
    )


async def _point_of_the_code(client: Client, target: Target, bad_definition: str) -> tuple[int, bool]:
    """Event id of the task at which the code of now differs, or that the last task is meant."""
    digest, event_id = await task_that_diverges(client, target)
    if bad_definition and not digest.startswith(bad_definition):
        raise ValueError(f"it did not run on definition {bad_definition}, but on {digest or 'one that is not known'}")
    if not event_id and not bad_definition:
        raise ValueError("the code of now does all that the history says: there is no task at which it differs")
    return event_id, not event_id


async def _fork_request(
    client: Client,
    target: Target,
    *,
    event_id: int | None = None,
    activity_id: str = "",
    input: Any = arg_unset,
    args: Sequence[Any] | None = None,
    result: Any = arg_unset,
    id: str = "",
    reason: str = "",
    reapply_signals: bool = False,
    reapply_updates: bool = False,
) -> ForkWorkflow:
    if input is not arg_unset and args is not None:
        raise ValueError("give input or args, not both")
    converter = client.converter_for(target.workflow_id)
    given = [input] if input is not arg_unset else args
    return ForkWorkflow(
        target,
        id,
        event_id or 0,
        activity_id,
        None if given is None else await encode(converter, given),
        None if result is arg_unset else await encode(converter, [result]),
        reason,
        client.identity,
        reapply_signals,
        reapply_updates,
    )


async def _retry_request(client: Client, target: Target, *, activity_id: str = "", reason: str = "") -> RetryWorkflow:
    return RetryWorkflow(target, activity_id, reason, client.identity)


_REQUESTS: dict[str, Callable[..., Any]] = {"reset": _reset_request, "fork": _fork_request, "retry": _retry_request}
