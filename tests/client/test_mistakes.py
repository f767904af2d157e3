"""Usual mistakes are answered with what to write instead."""

from __future__ import annotations

import pytest

from durable_nb.client import Client, WithStartWorkflowOperation
from durable_nb.common import WorkflowIDConflictPolicy
from tests.client.fake_frontend import FakeFrontend, started
from tests.client.orders import (
    AnythingWorkflow,
    ChildOfOrder,
    Order,
    OrderWorkflow,
    PingWorkflow,
    TransferWorkflow,
)


@pytest.fixture
def handle(client: Client):
    return client.get_workflow_handle_for(OrderWorkflow.run, "order-1")


async def test_a_start_without_id_says_what_an_id_is(client, frontend: FakeFrontend):
    for call in (client.start_workflow, client.execute_workflow):
        with pytest.raises(TypeError, match=rf'{call.__name__}\(\) needs id=…, .* id="order-1"'):
            await call(PingWorkflow.run)
    with pytest.raises(TypeError, match=r"needs id=…"):
        WithStartWorkflowOperation(PingWorkflow.run, id_conflict_policy=WorkflowIDConflictPolicy.FAIL)
    assert frontend.requests == []


async def test_an_id_that_is_no_text_or_empty_is_refused(client):
    with pytest.raises(TypeError, match=r"id must be a str, not int: write id=str\(7\)"):
        await client.start_workflow(PingWorkflow.run, id=7)
    with pytest.raises(ValueError, match="id must not be empty"):
        await client.start_workflow(PingWorkflow.run, id="")


async def test_a_called_run_method_is_told_from_the_function(client):
    with pytest.raises(TypeError, match=r"pass the function itself, client.start_workflow\(PingWorkflow.run, …\)"):
        await client.start_workflow(PingWorkflow().run(), id="p")


async def test_the_method_of_an_instance_is_told_from_the_function(client, handle):
    with pytest.raises(TypeError, match=r"the engine makes the instance.*client.start_workflow\(PingWorkflow.run, …\)"):
        await client.start_workflow(PingWorkflow().run, id="p")
    with pytest.raises(TypeError, match=r"handle.signal\(OrderWorkflow.approve, …\)"):
        await handle.signal(OrderWorkflow().approve, "me")


async def test_an_instance_of_a_workflow_is_no_workflow(client):
    with pytest.raises(TypeError, match=r"got an instance of PingWorkflow: pass its run method"):
        await client.start_workflow(PingWorkflow(), id="p")


@pytest.mark.parametrize("thing", [7, None, [PingWorkflow.run]])
async def test_things_that_are_no_functions_are_refused_by_type(client, handle, thing):
    with pytest.raises(TypeError, match=f"workflow must be a str or a workflow function, not {type(thing).__name__}"):
        await client.start_workflow(thing, id="p")
    with pytest.raises(TypeError, match="update must be a str or an update function"):
        await handle.execute_update(thing)


async def test_a_class_stands_for_its_run_method(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    await client.start_workflow(PingWorkflow, id="p")
    assert frontend.only("start_workflow").workflow_type == "PingWorkflow"


async def test_an_undecorated_function_or_class_is_no_workflow(client):
    async def plain() -> None: ...

    with pytest.raises(ValueError, match=r"plain is not a workflow: decorate it with @workflow\.defn"):
        await client.start_workflow(plain, id="p")
    with pytest.raises(ValueError, match=r"ChildOfOrder is not a workflow: decorate the class with @workflow\.defn"):
        await client.start_workflow(ChildOfOrder, id="p")
    with pytest.raises(ValueError, match=r"helper is not a workflow: decorate it with @workflow.run and its class"):
        await client.start_workflow(OrderWorkflow.helper, id="p")


async def test_a_dynamic_workflow_has_no_name_to_start_it_by(client):
    with pytest.raises(RuntimeError, match=r"Cannot invoke dynamic workflow AnythingWorkflow\.run"):
        await client.start_workflow(AnythingWorkflow.run, args=[[]], id="p")


async def test_a_dynamic_handler_has_no_name_to_call_it_by(handle):
    with pytest.raises(RuntimeError, match=r"Cannot invoke dynamic signal OrderWorkflow\.anything"):
        await handle.signal(OrderWorkflow.anything, args=["a", []])


async def test_a_wrong_number_of_arguments_names_the_parameters(client, handle, frontend: FakeFrontend):
    with pytest.raises(TypeError, match=r"OrderWorkflow\.run takes 1 argument \(order\), but 0 given"):
        await client.start_workflow(OrderWorkflow.run, id="p")
    with pytest.raises(TypeError, match=r"PingWorkflow\.run takes 0 arguments, but 1 given"):
        await client.start_workflow(PingWorkflow.run, 1, id="p")
    with pytest.raises(
        TypeError,
        match=r"TransferWorkflow\.run takes 2 to 3 arguments \(source, target, amount\), but 1 given; pass several",
    ):
        await client.start_workflow(TransferWorkflow.run, "a", id="p")
    with pytest.raises(TypeError, match=r"takes 1 argument \(by\), but 2 given"):
        await handle.signal(OrderWorkflow.approve, args=["a", "b"])
    with pytest.raises(TypeError, match=r"takes 1 argument \(position\), but 0 given"):
        await handle.query(OrderWorkflow.item_at)
    with pytest.raises(TypeError, match=r"takes 1 argument \(total\), but 0 given"):
        await handle.execute_update(OrderWorkflow.reprice)
    assert frontend.requests == []


async def test_arg_and_args_exclude_each_other(client):
    with pytest.raises(ValueError, match="Cannot have arg and args"):
        await client.start_workflow(OrderWorkflow.run, Order(1), args=[Order(2)], id="p")


async def test_args_given_as_a_text_are_not_taken_letter_by_letter(client):
    with pytest.raises(TypeError, match=r"write args=\['ab'\]"):
        await client.start_workflow(TransferWorkflow.run, args="ab", id="p")


async def test_a_handler_of_another_kind_names_the_right_verb(handle):
    with pytest.raises(
        RuntimeError, match=r"workflow query, not a signal: write handle\.query\(OrderWorkflow\.item_at"
    ):
        await handle.signal(OrderWorkflow.item_at, 1)
    with pytest.raises(RuntimeError, match=r"workflow signal, not a query: write handle\.signal\("):
        await handle.query(OrderWorkflow.approve)
    with pytest.raises(RuntimeError, match=r"workflow update, not a signal: write handle\.execute_update\("):
        await handle.signal(OrderWorkflow.reprice, 1)


async def test_a_method_that_is_no_handler_gets_a_suggestion(handle):
    with pytest.raises(RuntimeError, match=r"aprove is not a signal.*Did you mean 'approve'\?"):
        await handle.signal(OrderWorkflow.aprove)
    with pytest.raises(RuntimeError, match=r"helper is not a query.*OrderWorkflow has item_at, receipt"):
        await handle.query(OrderWorkflow.helper)
    with pytest.raises(RuntimeError, match=r"helper is not an update.*OrderWorkflow has clear-it, reprice"):
        await handle.execute_update(OrderWorkflow.helper)


async def test_a_misused_function_is_not_remembered_as_wrong_once_it_is_decorated(client, frontend: FakeFrontend):
    namespace: dict = {}
    exec("async def late() -> int: return 1", namespace)  # a function without <locals>, as in a cell
    late = namespace["late"]
    with pytest.raises(ValueError, match="late is not a workflow"):
        await client.start_workflow(late, id="p")
    from durable_nb import workflow

    workflow.defn(late)
    frontend.answer("start_workflow", started())
    await client.start_workflow(late, id="p")
    assert frontend.only("start_workflow").workflow_type == "late"
