from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from durable_nb import workflow
from durable_nb.model import attributes as a
from durable_nb.model.payload import Payload
from durable_nb.runtime.interceptor import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from tests.runtime.driver import Driver, payloads

SHORT = timedelta(seconds=10)
seen: list[str] = []
MARK = {"mark": Payload(metadata={"encoding": b"json/plain"}, data=b'"m"')}


class Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        seen.append(f"init {workflow.in_workflow()}")
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        seen.append(f"execute {input.type.__name__} {sorted(input.headers)}")
        return [await super().execute_workflow(input), "seen"]

    async def handle_signal(self, input: HandleSignalInput) -> None:
        seen.append(f"signal {input.signal} {list(input.args)} {sorted(input.headers)}")
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        seen.append(f"query {input.query}")
        return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        seen.append(f"validate {input.id}")
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        seen.append(f"update {input.update}")
        return await super().handle_update_handler(input)


class Outbound(WorkflowOutboundInterceptor):
    def info(self) -> workflow.Info:
        seen.append("info")
        return super().info()

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = MARK
        super().continue_as_new(input)

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = MARK
        input.args = [*input.args, "added"]
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        seen.append(f"local {input.activity}")
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = MARK
        return await super().start_child_workflow(input)

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        input.headers = MARK
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        input.headers = MARK
        await super().signal_external_workflow(input)


@workflow.defn
class Busy:
    @workflow.run
    async def run(self, name: str) -> str:
        assert workflow.info().workflow_type == "Busy"
        await workflow.execute_activity("a", name, start_to_close_timeout=SHORT)
        await workflow.execute_local_activity("l", start_to_close_timeout=SHORT)
        await workflow.get_external_workflow_handle("other").signal("hello")
        child = await workflow.start_child_workflow("Child", id="c")
        await child.signal("hi")
        await child
        if name == "again":
            workflow.continue_as_new("once more")
        return name

    @workflow.signal
    def sig(self, number: int) -> None: ...

    @workflow.query
    def ask(self) -> int:
        return 5

    @workflow.update
    def change(self) -> int:
        return 6

    @change.validator
    def check(self) -> None: ...


def run(name: str) -> Driver:
    seen.clear()
    d = Driver(Busy, name, interceptor_classes=[Inbound], started={"header": {"h": payloads(1)[0]}})
    d.local = lambda request: 1
    d.task()
    d.add(a.WorkflowExecutionSignaled(signal_name="sig", input=payloads(3), header={"s": payloads(1)[0]}))
    d.update("u-1", "change")
    d.complete("a")
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.task()
    d.child_started("c")
    d.task()
    d.answer(a.SignalExternalWorkflowExecutionInitiated, a.ExternalWorkflowExecutionSignaled)
    d.child_closed("c", a.ChildWorkflowExecutionCompleted)
    assert d.query("ask") == 5
    d.task()
    return d


def test_all_that_comes_in_and_goes_out_passes_through_the_interceptors() -> None:
    d = run("once")
    assert seen == [
        "init True",
        "execute Busy ['h']",
        "info",
        "signal sig [3] ['s']",
        "validate u-1",
        "update change",
        "local l",
        "query ask",
    ]
    scheduled: Any = d.of(a.ActivityTaskScheduled).attributes
    assert [each.data for each in scheduled.input] == [b'"once"', b'"added"']
    for kind in (
        a.ActivityTaskScheduled,
        a.SignalExternalWorkflowExecutionInitiated,
        a.StartChildWorkflowExecutionInitiated,
    ):
        assert d.of(kind).attributes.header == MARK
    assert d.result == ["once", "seen"]
    assert d.replay(interceptor_classes=[Inbound]).failure is None


def test_headers_travel_with_continue_as_new() -> None:
    assert run("again").of(a.WorkflowExecutionContinuedAsNew).attributes.header == MARK  # type: ignore[attr-defined]


def test_extern_functions_reach_workflow_code() -> None:
    d = Driver(Extern, extern_functions={"double": lambda n: 2 * n})
    d.task()
    assert d.result == 42


@workflow.defn
class Extern:
    @workflow.run
    async def run(self) -> int:
        return int(workflow.extern_functions()["double"](21))
