"""A handle of one update of one workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, cast

from durable_nb.client._calls import is_deadline, within
from durable_nb.client._errors import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from durable_nb.client._payloads import decode_failure, decode_one
from durable_nb.client._typing import LocalReturnType
from durable_nb.model.attributes import UpdateOutcome
from durable_nb.model.requests import PollUpdate, Target
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.client._client import Client


class WorkflowUpdateHandle(Generic[LocalReturnType]):
    """An update that was accepted, or one named by its id (``WorkflowHandle.get_update_handle``)."""

    def __init__(
        self,
        client: Client,
        id: str,
        workflow_id: str,
        *,
        workflow_run_id: str | None = None,
        result_type: type | None = None,
        known_outcome: UpdateOutcome | None = None,
    ) -> None:
        self._client = client
        self._id = id
        self._workflow_id = workflow_id
        self._workflow_run_id = workflow_run_id
        self._result_type = result_type
        self._known_outcome = known_outcome

    def __repr__(self) -> str:
        state = "accepted or unknown" if self._known_outcome is None else "completed"
        return f"<WorkflowUpdateHandle {self._id!r} of workflow {self._workflow_id!r}: {state}>"

    @property
    def id(self) -> str:
        """ID of the update; the same id attaches to the same update."""
        return self._id

    @property
    def workflow_id(self) -> str:
        """ID of the workflow."""
        return self._workflow_id

    @property
    def workflow_run_id(self) -> str | None:
        """Run that has the update; None for the current one."""
        return self._workflow_run_id

    async def result(
        self, *, rpc_metadata: Mapping[str, str | bytes] = {}, rpc_timeout: timedelta | None = None
    ) -> LocalReturnType:
        """What the update handler returned; waits for it where it is not known yet.

        Raises
        ------
        WorkflowUpdateFailedError
            Rejected by the validator, or failed in the handler.
        WorkflowUpdateRPCTimeoutOrCancelledError
            Waiting ended by ``rpc_timeout`` or cancellation; the update itself goes on.
        RPCError
            NOT_FOUND: no such update.
        """
        await self._poll_until_outcome(rpc_metadata, rpc_timeout)
        outcome = cast("UpdateOutcome", self._known_outcome)
        converter = self._client.converter_for(self._workflow_id)
        if outcome.failure is not None:
            raise WorkflowUpdateFailedError(await decode_failure(converter, outcome.failure))
        value: Any = await decode_one(converter, outcome.success, self._result_type, "update result")
        return cast("LocalReturnType", value)

    async def _poll_until_outcome(
        self, rpc_metadata: Mapping[str, str | bytes] = {}, rpc_timeout: timedelta | None = None
    ) -> None:
        if self._known_outcome is not None:
            return
        target = Target(self._client.namespace, self._workflow_id, self._workflow_run_id or "")
        request = PollUpdate(target, self._id)
        try:
            while self._known_outcome is None:
                call = self._client.frontend.poll_update(request)
                result = await (call if rpc_timeout is None else within(call, rpc_timeout, "update result"))
                self._known_outcome = result.outcome
                if result.outcome is None:
                    # An engine may answer without an outcome when its own patience ends; never spin on that.
                    await asyncio.sleep(0)
        except RPCError as error:
            if is_deadline(error):
                raise WorkflowUpdateRPCTimeoutOrCancelledError from error
            raise
        except asyncio.CancelledError as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error
