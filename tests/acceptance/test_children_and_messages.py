"""Children under every policy, and messages that come with the wrong arguments."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_nb import workflow
from durable_nb.client import Client, WorkflowFailureError, WorkflowQueryFailedError, WorkflowUpdateFailedError
from durable_nb.exceptions import ChildWorkflowError, is_cancelled_exception
from tests.acceptance.world import events, fresh_id, kinds, outcome, serving, start
from tests.waiting import recorded, until

ChildCancel = workflow.ChildWorkflowCancellationType


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1000)
        return "slept"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, child_id: str, policy: int) -> str:
        child = await workflow.start_child_workflow(
            Child.run, id=child_id, parent_close_policy=workflow.ParentClosePolicy(policy)
        )
        return f"{child.id} {child.first_execution_run_id == workflow.info().run_id}"


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (workflow.ParentClosePolicy.TERMINATE, "TERMINATED"),
        (workflow.ParentClosePolicy.ABANDON, "RUNNING"),
        (workflow.ParentClosePolicy.REQUEST_CANCEL, "CANCELED"),
    ],
)
async def test_the_parent_close_policy_decides_what_becomes_of_the_child(
    client: Client, policy: workflow.ParentClosePolicy, status: str
) -> None:
    async with serving(client, Parent, Child):
        child = client.get_workflow_handle(fresh_id())
        assert await outcome(client, Parent.run, child.id, int(policy)) == f"{child.id} False"

        async def settled() -> bool:
            found = (await child.describe()).status
            return found is not None and found.name == status

        await until(settled)
        if status == "RUNNING":
            await child.terminate()


@workflow.defn
class CancelsChild:
    @workflow.run
    async def run(self, child_id: str, kind: int) -> bool:
        child = await workflow.start_child_workflow(Child.run, id=child_id, cancellation_type=ChildCancel(kind))
        child.cancel()
        try:
            await child
        except ChildWorkflowError as error:
            return is_cancelled_exception(error)
        return False


@pytest.mark.parametrize("kind", list(ChildCancel))
async def test_each_cancellation_type_of_children_ends_the_wait(client: Client, kind: ChildCancel) -> None:
    async with serving(client, CancelsChild, Child):
        handle = await start(client, CancelsChild.run, name := fresh_id(), int(kind))
        assert await handle.result() is True
        asked = "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED" in await kinds(handle)
        assert asked is (kind is not ChildCancel.ABANDON)
        if kind is ChildCancel.WAIT_CANCELLATION_COMPLETED:
            assert "CHILD_WORKFLOW_EXECUTION_CANCELED" in await kinds(handle)
        assert name == (await client.get_workflow_handle(name).describe()).id


@workflow.defn
class CancelledParent:
    @workflow.run
    async def run(self, child_id: str) -> None:
        await workflow.execute_child_workflow(Child.run, id=child_id)


async def test_a_cancelled_parent_cancels_the_child_it_waits_for(client: Client) -> None:
    async with serving(client, CancelledParent, Child):
        name = fresh_id()
        handle = await start(client, CancelledParent.run, name)
        await recorded(handle, "ChildWorkflowExecutionStarted")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
        assert is_cancelled_exception(raised.value.cause)
        assert (await kinds(handle))[-1] == "WORKFLOW_EXECUTION_CANCELED"
        status = (await client.get_workflow_handle(name).describe()).status
        assert status is not None
        assert status.name == "CANCELED"


@workflow.defn
class Levels:
    @workflow.run
    async def run(self, left: int) -> int:
        return 1 + await workflow.execute_child_workflow(Levels.run, left - 1) if left else 0


async def test_twenty_levels_of_children_complete(client: Client) -> None:
    async with serving(client, Levels):
        assert await outcome(client, Levels.run, 20) == 20


@workflow.defn
class Messages:
    def __init__(self) -> None:
        self.seen: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: len(self.seen) >= 2)
        return self.seen

    @workflow.signal
    def put(self, number: int) -> None:
        self.seen.append(number)

    @workflow.query
    def get(self, index: int) -> int:
        return self.seen[index]

    @workflow.update
    async def add(self, number: int) -> int:
        self.seen.append(number)
        return number


async def test_messages_with_wrong_arguments_harm_nobody(client: Client) -> None:
    async with serving(client, Messages):
        handle = await start(client, Messages.run)
        await handle.signal("put", 1)
        with pytest.raises(WorkflowQueryFailedError, match="argument"):
            await handle.query("get")
        with pytest.raises(WorkflowQueryFailedError, match="index out of range"):
            await handle.query("get", 5)
        await handle.signal("put", "not a number")  # Dropped with a log line, as Temporal does.
        assert await handle.query("get", 0) == 1
        for arguments in ([], [1, 2, 3]):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update("add", args=arguments)
            assert f"takes (number), but got {len(arguments)} arguments" in str(refused.value.cause)
        assert await handle.execute_update("add", 2) == 2
        assert await handle.result() == [1, 2]


@workflow.defn
class UnfinishedUpdate:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.done)
        return "ended"

    @workflow.update
    async def long(self) -> None:
        self.done = True
        await workflow.sleep(timedelta(hours=1))


async def test_the_caller_of_an_update_that_the_end_of_the_run_cuts_off_gets_an_error(client: Client) -> None:
    async with serving(client, UnfinishedUpdate):
        handle = await start(client, UnfinishedUpdate.run)
        with (
            pytest.warns(workflow.UnfinishedUpdateHandlersWarning, match="long"),
            pytest.raises(WorkflowUpdateFailedError) as raised,
        ):
            await handle.execute_update(UnfinishedUpdate.long)
        assert "AcceptedUpdateCompletedWorkflow" in repr(getattr(raised.value.cause, "type", ""))
        assert await handle.result() == "ended"
        assert len(await events(handle)) > 0
