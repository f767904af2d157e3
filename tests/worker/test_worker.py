"""``Worker``: construction, life, interceptors and plugins, against a pretended engine."""

from __future__ import annotations

import asyncio
import inspect
import logging
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import temporalio.worker

from durable_nb import activity, worker
from durable_nb.worker._embedded import EmbeddedWorker
from durable_nb.worker._interceptor import ActivityInboundInterceptor, Interceptor
from durable_nb.worker._plugin import Plugin
from durable_nb.worker._worker import Worker
from tests.worker.executor_rig import CONVERTER, activity_task, settle, value_of
from tests.worker.pretended_engine import PretendedClient, PretendedEngine


@activity.defn
async def hello(name: str) -> str:
    return f"hello {name} {activity.client().identity}"


@activity.defn
def hello_in_thread(name: str) -> str:
    return f"hello {name}"


@activity.defn
async def stubborn() -> None:
    await asyncio.Event().wait()


@activity.defn
async def beats() -> None:
    activity.heartbeat("x")
    await asyncio.Event().wait()


def make(**options: Any) -> tuple[Worker, PretendedEngine]:
    engine = PretendedEngine()
    client: Any = options.pop("client", None) or PretendedClient(engine, **options.pop("client_config", {}))
    options.setdefault("activities", [hello])
    return Worker(client, task_queue="q", **options), client.engine


def start(engine: PretendedEngine, name: str, *args: Any) -> asyncio.Future[Any]:
    (port,) = engine.ports
    ended = asyncio.get_running_loop().create_future()
    loop = ended.get_loop()
    port.start_activity(activity_task(name, *args), lambda end: loop.call_soon_threadsafe(ended.set_result, end))
    return ended


def test_the_constructor_takes_what_the_sdk_takes_with_the_same_defaults() -> None:
    ours, theirs = inspect.signature(Worker).parameters, inspect.signature(temporalio.worker.Worker).parameters
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        if not name.endswith(("_runner", "_behavior", "_concurrency")):
            assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name


async def test_a_worker_must_have_something_to_do() -> None:
    with pytest.raises(ValueError, match="At least one activity, Nexus service, or workflow must be specified"):
        make(activities=[])
    with pytest.raises(ValueError, match="Workflow int missing attributes"):
        make(workflows=[int])
    with pytest.raises(ValueError, match="Cannot specify max_concurrent_"):
        make(tuner=worker_tuner(), max_concurrent_activities=5)
    with pytest.warns(UserWarning, match="Nexus is not supported"):
        make(nexus_service_handlers=[object()])


def worker_tuner() -> Any:
    from durable_nb.worker._tuning import WorkerTuner

    return WorkerTuner.create_fixed(activity_slots=3)


async def test_numbers_of_slots_come_from_the_options_or_the_tuner() -> None:
    assert make()[0]._port.free_activity_slots() == 100
    assert make(max_concurrent_activities=7)[0]._port.free_activity_slots() == 7
    assert make(tuner=worker_tuner())[0]._port.free_activity_slots() == 3


async def test_debug_mode_looks_for_no_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEMPORAL_DEBUG", raising=False)
    assert make()[0]._port.host.options.deadlock_timeout == 2.0
    assert make(debug_mode=True)[0]._port.host.options.deadlock_timeout is None
    monkeypatch.setenv("TEMPORAL_DEBUG", "1")
    assert make()[0]._port.host.options.deadlock_timeout is None


async def test_inside_the_block_the_worker_serves_and_after_it_nothing_is_left() -> None:
    served, engine = make()
    assert not served.is_running
    async with served as entered:
        await settle()
        assert entered is served
        assert served.is_running
        assert value_of(await start(engine, "hello", "you")) == "hello you me@here"
        (port,) = engine.ports
        assert (port.namespace, port.task_queue, port.identity) == ("default", "q", "me@here")
        assert port.serves_activity("unknown"), "as on a cluster, it takes it and fails it"
        assert not port.serves_workflow("unknown")
    assert engine.ports == []
    assert served.is_shutdown
    assert not served.is_running


async def test_leaving_the_block_cancels_activities_after_the_graceful_time() -> None:
    served, engine = make(activities=[stubborn], graceful_shutdown_timeout=timedelta(microseconds=1))
    async with served:
        await settle()
        ended = start(engine, "stubborn")
        await settle()
    assert (await ended).failure.application_failure_info.type == "WorkerShutdown"


async def test_run_and_shutdown_without_a_block() -> None:
    served, engine = make()
    run = asyncio.ensure_future(served.run())
    await settle()
    assert len(engine.ports) == 1
    await served.shutdown()
    await run
    await served.shutdown()
    with pytest.raises(RuntimeError, match="Already started"):
        await served.run()


async def test_cancelling_run_shuts_down() -> None:
    served, engine = make()
    run = asyncio.ensure_future(served.run())
    await settle()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert engine.ports == []
    assert served.is_shutdown


async def test_an_error_of_the_block_passes_through() -> None:
    served, _ = make()
    with pytest.raises(KeyError):
        async with served:
            raise KeyError("mine")
    assert served.is_shutdown


class BrokenPool(ThreadPoolExecutor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor("workers died")


async def test_a_broken_executor_ends_the_worker_the_block_and_tells_the_handler() -> None:
    told: list[BaseException] = []

    async def on_fatal_error(error: BaseException) -> None:
        told.append(error)

    served, engine = make(activities=[hello_in_thread], activity_executor=BrokenPool(), on_fatal_error=on_fatal_error)

    async def block() -> None:
        async with served:
            await settle()
            await start(engine, "hello_in_thread", "x")
            await asyncio.Event().wait()

    with pytest.raises(BrokenExecutor):
        await block()
    assert [str(error) for error in told] == ["workers died"]


async def test_a_fatal_error_that_the_block_did_not_wait_for_is_raised_at_its_end() -> None:
    served, engine = make(activities=[hello_in_thread], activity_executor=BrokenPool())

    async def block() -> None:
        async with served:
            await settle()
            start(engine, "hello_in_thread", "x")

    with pytest.raises(BrokenExecutor):
        await block()


async def test_heartbeats_go_to_the_engine_with_the_task_token() -> None:
    served, engine = make(activities=[beats])
    async with served:
        await settle()
        start(engine, "beats")
        await settle()
    [(reference, details)] = engine.frontend.heartbeats
    assert (reference.namespace, reference.task_token[:6]) == ("default", b"token-")
    assert CONVERTER.from_payloads(details) == ["x"]


class Both(Interceptor):
    """Serves a client too, as far as the worker can see."""

    def __init__(self, name: str, trace: list[str]) -> None:
        self.name, self.trace = name, trace

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        self.trace.append(self.name)
        return next


async def test_interceptors_of_the_client_come_first_if_they_are_for_workers_too() -> None:
    trace: list[str] = []
    served, engine = make(
        client_config={"interceptors": [object(), Both("client", trace)]}, interceptors=[Both("worker", trace)]
    )
    async with served:
        await settle()
        await start(engine, "hello", "x")
    assert trace == ["worker", "client"], "asked from the innermost out"


async def test_plugins_change_the_configuration_and_wrap_the_running() -> None:
    trace: list[str] = []

    class Renaming(Plugin):
        def configure_worker(self, config: Any) -> Any:
            return {**config, "task_queue": config["task_queue"] + "-renamed"}

        async def run_worker(self, worker: Worker, next: Any) -> None:
            trace.append("before")
            await next(worker)
            trace.append("after")

    served, engine = make(client_config={"plugins": [Renaming()]}, plugins=[Renaming()])
    assert served.task_queue == "q-renamed-renamed"
    assert served.config()["task_queue"] == "q"
    assert served.config(active_config=True)["task_queue"] == "q-renamed-renamed"
    async with served:
        await settle()
        assert engine.ports[0].task_queue == "q-renamed-renamed"
    assert trace == ["before", "before", "after", "after"]


async def test_another_client_of_the_same_engine_may_take_over() -> None:
    served, engine = make()
    other: Any = PretendedClient(engine)
    served.client = other
    assert served.client is other
    stranger: Any = PretendedClient(PretendedEngine())
    with pytest.raises(ValueError, match="not on the same engine"):
        served.client = stranger


async def test_shutdown_is_announced_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    served, _ = make()
    with caplog.at_level(logging.INFO, "durable_nb.worker"):
        async with served:
            await settle()
    assert "Beginning worker shutdown, will wait 0:00:00 before cancelling activities" in caplog.messages


# -- the worker of notebooks ---------------------------------------------------------------------------------------


async def test_an_embedded_worker_claims_only_what_was_registered() -> None:
    engine = PretendedEngine()
    client: Any = PretendedClient(engine)
    embedded = EmbeddedWorker(client, task_queue="q")
    embedded.start()
    (port,) = engine.ports
    assert not port.serves_activity("hello")
    embedded.register_activity(hello)
    assert port.serves_activity("hello")
    assert not port.serves_activity("other")
    assert engine.changes == 1
    assert port.free_activity_slots() > 1_000_000
    assert value_of(await start(engine, "hello", "you")) == "hello you me@here"
    await embedded.shutdown()
    assert engine.ports == []


async def test_an_embedded_worker_makes_a_thread_pool_for_sync_activities() -> None:
    engine = PretendedEngine()
    client: Any = PretendedClient(engine)
    embedded = EmbeddedWorker(client, task_queue="q")
    embedded.start()
    embedded.register_activity(hello_in_thread)
    assert value_of(await start(engine, "hello_in_thread", "you")) == "hello you"
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        embedded.replace_executor(pool)
        assert value_of(await start(engine, "hello_in_thread", "me")) == "hello me"
    await embedded.shutdown(timedelta(seconds=1))


async def test_an_embedded_worker_takes_an_edited_activity() -> None:
    engine = PretendedEngine()
    client: Any = PretendedClient(engine)
    embedded = EmbeddedWorker(client, task_queue="q")
    embedded.start()
    for text in ("old", "new"):

        @activity.defn(name="greet")
        async def greet(text: str = text) -> str:
            return text

        embedded.register_activity(greet)
        assert value_of(await start(engine, "greet")) == text
    await embedded.shutdown()


def test_every_public_name_of_the_sdks_worker_module_is_here_but_nexus() -> None:
    missing = {name for name in temporalio.worker.__all__ if not hasattr(worker, name)}
    assert {name for name in missing if "Nexus" not in name} == {
        "PatchActivationInput",
        "WorkflowInstance",
        "WorkflowInstanceDetails",
    }
