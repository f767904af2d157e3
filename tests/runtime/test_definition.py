from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pytest

from durable_nb import workflow
from durable_nb.common import RawValue
from durable_nb.runtime.definition import WorkflowDefinition


@dataclass
class Input:
    name: str


@workflow.defn(name="Renamed", failure_exception_types=[KeyError])
class Complete:
    @workflow.init
    def __init__(self, given: Input, count: int = 1) -> None:
        self.given = given

    @workflow.run
    async def run(self, value: Input, number: int = 1) -> list[int]:
        return [number]

    @workflow.signal(name="sig", description="a signal")
    def one(self, text: str) -> None: ...

    @workflow.query
    def two(self) -> str:
        return ""

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def three(self, later: Later) -> Later:
        return later

    @three.validator
    def check_three(self, later: Later) -> None: ...


class Later:
    """Named by an annotation before it exists."""


@workflow.defn(dynamic=True)
class Dynamic:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None: ...


@workflow.defn
async def plain_function(name: str, times: int = 2) -> str:
    return name * times


def run_method(name: str = "run") -> Any:
    @staticmethod  # type: ignore[misc]
    async def run() -> None: ...

    fn = run.__func__
    fn.__name__, fn.__qualname__ = name, f"Made.{name}"
    return workflow.run(fn)


def make(**members: Any) -> type:
    """A class as if it stood at the top level of this module."""
    for name, member in members.items():
        if callable(member):
            member.__qualname__, member.__module__ = f"Made.{name}", __name__
    return type("Made", (), {"__module__": __name__, "__qualname__": "Made", **members})


def test_a_definition_knows_name_handlers_types_and_options() -> None:
    definition = WorkflowDefinition.must_from_class(Complete)
    assert definition.name == "Renamed"
    assert definition.cls is Complete
    assert definition.takes_init
    assert definition.arg_types == [Input, int]
    assert definition.ret_type == list[int]
    assert definition.failure_exception_types == (KeyError,)
    assert definition.signals["sig"].arg_types == [str]
    assert definition.signals["sig"].description == "a signal"
    assert definition.queries["two"].ret_type is str
    assert definition.updates["three"].unfinished_policy is workflow.HandlerUnfinishedPolicy.ABANDON
    assert definition.updates["three"].validator is Complete.check_three


def test_hints_are_read_on_first_use_so_they_may_name_what_comes_later() -> None:
    assert WorkflowDefinition.must_from_class(Complete).updates["three"].arg_types == [Later]


def test_a_hint_that_names_nothing_says_whose_it_is() -> None:
    async def run(self: Any, given: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    run.__qualname__ = "Made.run"
    cls = workflow.defn(make(run=workflow.run(run)))
    with pytest.raises(NameError, match=r"hints of workflow Made .*Missing"):
        _ = WorkflowDefinition.must_from_class(cls).arg_types


@workflow.defn
class Annotated:
    @workflow.run
    async def run(self: Self, value: Input) -> str:
        return value.name


def test_self_may_be_annotated() -> None:
    assert WorkflowDefinition.must_from_class(Annotated).arg_types == [Input]


def test_the_run_method_leads_to_the_definition() -> None:
    assert WorkflowDefinition.from_run(Complete.run) is WorkflowDefinition.from_class(Complete)


def test_a_subclass_is_not_a_workflow_by_inheritance() -> None:
    class Derived(Complete): ...

    assert WorkflowDefinition.from_class(Derived) is None
    with pytest.raises(ValueError, match=r"was it decorated with @workflow\.defn"):
        WorkflowDefinition.must_from_class(Derived)


def test_a_plain_async_function_is_a_workflow_and_stays_callable() -> None:
    definition = WorkflowDefinition.must_from_class(plain_function)
    assert definition.name == "plain_function"
    assert definition.cls is None
    assert definition.arg_types == [str, int]
    coroutine = plain_function("ab")
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    assert stopped.value.value == "abab"


def test_a_function_inside_a_function_is_refused_because_it_could_not_be_found_again() -> None:
    async def local() -> None: ...

    with pytest.raises(ValueError, match="top level"):
        workflow.defn(local)


def test_a_sync_function_is_refused() -> None:
    with pytest.raises(TypeError, match="write async def"):
        workflow.defn(pytest.raises)  # type: ignore[call-overload]


def test_a_dynamic_workflow_has_no_name_and_takes_raw_values() -> None:
    assert WorkflowDefinition.must_from_class(Dynamic).name is None
    with pytest.raises(TypeError, match="single Sequence"):
        workflow.defn(dynamic=True)(make(run=run_method()))
    with pytest.raises(ValueError, match="cannot have a name"):
        workflow.defn(name="x", dynamic=True)(make(run=run_method()))


def test_run_must_be_async_and_its_class_global() -> None:
    with pytest.raises(ValueError, match="must be an async function"):
        workflow.run(lambda self: None)  # type: ignore[type-var]

    async def run(self: Any) -> None: ...

    with pytest.raises(ValueError, match="Local classes unsupported"):
        workflow.run(run)


def test_a_class_needs_exactly_one_run_method() -> None:
    with pytest.raises(ValueError, match=r"Missing @workflow\.run method"):
        workflow.defn(make())
    with pytest.raises(ValueError, match=r"Multiple @workflow\.run methods"):
        workflow.defn(make(run=run_method(), other=run_method("other")))


def test_a_class_is_not_decorated_twice() -> None:
    with pytest.raises(ValueError, match="already contains"):
        workflow.defn(Complete)


def test_handler_names_are_unique_per_kind() -> None:
    def one(self: Any) -> None: ...

    def two(self: Any) -> None: ...

    cls = make(run=run_method(), one=workflow.signal(name="s")(one), two=workflow.signal(name="s")(two))
    with pytest.raises(ValueError, match="Multiple signal methods found for s"):
        workflow.defn(cls)


def test_a_decorated_method_that_is_overridden_must_be_decorated_again() -> None:
    class Base:
        @workflow.signal
        def sig(self) -> None: ...

    Base.sig.__qualname__ = "Base.sig"
    Base.__qualname__ = "Base"

    def sig(self: Any) -> None: ...

    cls = type("Made", (Base,), {"__module__": __name__, "__qualname__": "Made", "run": run_method(), "sig": sig})
    with pytest.raises(ValueError, match=r"@workflow\.signal defined on Base\.sig but not on the override"):
        workflow.defn(cls)


def test_init_takes_the_parameters_of_run() -> None:
    def __init__(self: Any, number: int) -> None: ...  # noqa: N807

    with pytest.raises(ValueError, match="parameters do not match"):
        workflow.defn(make(run=run_method(), __init__=workflow.init(__init__)))
    with pytest.raises(ValueError, match="may only be used on the __init__"):
        workflow.init(run_method)


def test_a_validator_takes_the_parameters_of_its_update_and_is_not_async() -> None:
    def change(self: Any, number: int) -> None: ...

    def check(self: Any) -> None: ...

    update = workflow.update(change)
    update.validator(check)
    with pytest.raises(ValueError, match="parameters do not match update method"):
        workflow.defn(make(run=run_method(), change=update))

    async def late(self: Any, number: int) -> None: ...

    with pytest.raises(ValueError, match="must not be an async function"):
        workflow.update(lambda self, number: None).validator(late)


def test_a_handler_cannot_be_named_and_dynamic() -> None:
    for decorator in (workflow.signal, workflow.query, workflow.update):
        with pytest.raises(RuntimeError, match="name and dynamic"):
            decorator(name="x", dynamic=True)  # type: ignore[operator]


def test_a_dynamic_handler_takes_a_name_and_raw_values() -> None:
    with pytest.raises(RuntimeError, match="Dynamic handler must have 3 arguments"):
        workflow.query(dynamic=True)(lambda self: None)

    def old_form(self: Any, name: str, *args: Any) -> None: ...

    with pytest.warns(DeprecationWarning, match="vararg"):
        workflow.signal(dynamic=True)(old_form)


def test_an_async_query_is_deprecated() -> None:
    async def asks(self: Any) -> None: ...

    with pytest.warns(DeprecationWarning, match="async def"):
        workflow.query(asks)


def test_dynamic_config_is_sync_takes_self_only_and_belongs_to_dynamic_workflows() -> None:
    def config(self: Any) -> workflow.DynamicWorkflowConfig:
        return workflow.DynamicWorkflowConfig()

    with pytest.raises(ValueError, match="only be used in dynamic workflows"):
        workflow.defn(make(run=run_method(), config=workflow.dynamic_config(config)))
    with pytest.raises(ValueError, match="only take self"):
        workflow.dynamic_config(lambda self, more: workflow.DynamicWorkflowConfig())  # type: ignore[arg-type,misc]
