"""The testing environments: time that is skipped, stores in memory and in a file, a client that exists."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import testing as sdk

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from durable_nb.exceptions import ApplicationError
from durable_nb.testing import WorkflowEnvironment
from tests.acceptance.world import MINUTE, QUEUE, fresh_id, has, outcome, serving, start
from tests.waiting import until

DAY = timedelta(days=1)


@workflow.defn
class Sleeper:
    def __init__(self) -> None:
        self.days = 0

    @workflow.run
    async def run(self, days: int) -> int:
        for _ in range(days):
            await workflow.sleep(DAY)
            self.days += 1
        return self.days

    @workflow.query
    def slept(self) -> int:
        return self.days


@activity.defn
async def slow(seconds: float) -> float:
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    return time.monotonic() - begin


@workflow.defn
class Racing:
    @workflow.run
    async def run(self) -> str:
        work = workflow.start_activity(slow, 0.1, start_to_close_timeout=timedelta(hours=1))
        try:
            await asyncio.wait_for(asyncio.shield(work), 3600)
        except TimeoutError:
            return "the timer was first"
        return "the activity was first"


async def test_a_month_passes_in_moments_while_a_result_is_waited_for(skipping: WorkflowEnvironment) -> None:
    assert skipping.supports_time_skipping
    before = await skipping.get_current_time()
    async with serving(skipping.client, Sleeper):
        assert await outcome(skipping.client, Sleeper.run, 30) == 30
    assert timedelta(0) <= await skipping.get_current_time() - before - 30 * DAY < MINUTE


async def looked(env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until the environment had more than enough looks to let time jump, if it wanted to."""
    looks: list[bool] = []
    is_quiet = env._is_quiet

    def look() -> bool:
        looks.append(is_quiet())
        return looks[-1]

    with monkeypatch.context() as patch:
        patch.setattr(env, "_is_quiet", look)
        await until(lambda: len(looks) >= 5)


async def test_time_stands_while_nobody_waits_and_sleep_moves_it(
    skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(skipping.client, Sleeper):
        handle = await start(skipping.client, Sleeper.run, 30)
        await looked(skipping, monkeypatch)
        assert await handle.query(Sleeper.slept) == 0
        await skipping.sleep(3 * DAY + timedelta(hours=1))
        assert await handle.query(Sleeper.slept) == 3
        await skipping.sleep(3600.0)
        assert await handle.query(Sleeper.slept) == 3
        await skipping.sleep(22 * 3600.0)
        assert await handle.query(Sleeper.slept) == 4


async def test_sleep_ends_when_its_time_has_passed_though_no_workflow_runs(skipping: WorkflowEnvironment) -> None:
    before = await skipping.get_current_time()
    assert before.tzinfo is UTC
    await skipping.sleep(timedelta(days=365))
    assert timedelta(0) <= await skipping.get_current_time() - before - timedelta(days=365) < MINUTE


async def test_an_activity_takes_real_time_and_nothing_is_skipped_meanwhile(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, Racing, activities=[slow]):
        assert await outcome(skipping.client, Racing.run) == "the activity was first"


@activity.defn
async def fails_often() -> int:
    if activity.info().attempt < 6:
        raise ConnectionError("not yet")
    return activity.info().attempt


@workflow.defn
class Retrying:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(fails_often, start_to_close_timeout=MINUTE)


async def test_retries_of_activities_are_skipped_to(skipping: WorkflowEnvironment) -> None:
    before = await skipping.get_current_time()
    async with serving(skipping.client, Retrying, activities=[fails_often]):
        assert await outcome(skipping.client, Retrying.run) == 6
    assert timedelta(seconds=31) <= await skipping.get_current_time() - before < timedelta(seconds=40)


async def test_within_auto_time_skipping_disabled_only_sleep_moves_time(
    skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(skipping.client, Sleeper):
        with skipping.auto_time_skipping_disabled():
            handle = await start(skipping.client, Sleeper.run, 2)
            waiting = asyncio.ensure_future(handle.result())
            await looked(skipping, monkeypatch)
            assert not waiting.done()
            assert await handle.query(Sleeper.slept) == 0
            await skipping.sleep(DAY)
            await until(lambda: handle.query(Sleeper.slept))
            assert not waiting.done()
        assert await waiting == 2


async def test_who_gave_up_waiting_lets_no_time_pass(
    skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(skipping.client, Sleeper):
        handle = await start(skipping.client, Sleeper.run, 30)
        with skipping.auto_time_skipping_disabled():
            waiting = asyncio.ensure_future(handle.result())
            await until(lambda: len(skipping.client.service_client.engine.watchers))
            waiting.cancel()
            await asyncio.wait([waiting])
        await looked(skipping, monkeypatch)
        assert await handle.query(Sleeper.slept) == 0


async def test_two_waiters_share_the_same_skipped_time(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, Sleeper):
        before = await skipping.get_current_time()
        results = await asyncio.gather(*(outcome(skipping.client, Sleeper.run, days) for days in (1, 5, 10)))
    assert results == [1, 5, 10]
    assert await skipping.get_current_time() - before < 10 * DAY + MINUTE


async def test_workflow_timeouts_are_skipped_to(skipping: WorkflowEnvironment) -> None:
    async with serving(skipping.client, Sleeper):
        handle = await start(skipping.client, Sleeper.run, 30, execution_timeout=3 * DAY)
        await skipping.sleep(4 * DAY)
        description = await handle.describe()
    assert description.status is not None
    assert description.status.name == "TIMED_OUT"


async def test_a_local_environment_runs_in_real_time(client: Client) -> None:
    env = WorkflowEnvironment.from_client(client)
    assert not env.supports_time_skipping
    assert env.client.service_client is client.service_client
    begin = time.monotonic()
    await env.sleep(0.02)
    await env.sleep(timedelta(milliseconds=10))
    assert time.monotonic() - begin >= 0.03
    assert abs(await env.get_current_time() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_an_environment_from_a_client_leaves_the_client_usable(client: Client) -> None:
    async with WorkflowEnvironment.from_client(client) as env, serving(env.client, Sleeper):
        assert await outcome(env.client, Sleeper.run, 0) == 0
    async with serving(client, Sleeper):
        assert await outcome(client, Sleeper.run, 0) == 0


@workflow.defn
class Claiming:
    @workflow.run
    async def run(self, number: int) -> None:
        if number:
            assert number > 5, f"{number} is too small"
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def claim(self, number: int) -> None:
        assert number > 5, f"{number} is too small"


@pytest.mark.parametrize("how", ["given", "local", "skipping"])
async def test_a_failed_assert_in_workflow_code_fails_the_run(how: str, still_client: Client) -> None:
    envs = {
        "given": lambda: asyncio.sleep(0, WorkflowEnvironment.from_client(still_client)),
        "local": WorkflowEnvironment.start_local,
        "skipping": WorkflowEnvironment.start_time_skipping,
    }
    async with await envs[how]() as env, serving(env.client, Claiming):
        failed = await start(env.client, Claiming.run, 3)
        signaled = await start(env.client, Claiming.run, 0)
        await signaled.signal(Claiming.claim, 3)
        for run in (failed, signaled):
            with pytest.raises(WorkflowFailureError) as raised:
                await asyncio.wait_for(run.result(), 20)
            cause = raised.value.cause
            assert isinstance(cause, ApplicationError)
            assert (cause.type, cause.non_retryable) == ("AssertionError", True)
            assert cause.message.startswith("3 is too small")
            assert cause.failure is not None
            assert "number > 5" in cause.failure.stack_trace


async def test_the_workers_of_the_client_itself_try_a_failed_assert_again(still_client: Client) -> None:
    WorkflowEnvironment.from_client(still_client)
    async with serving(still_client, Claiming):
        run = await start(still_client, Claiming.run, 3)
        await until(lambda: has(run, "WORKFLOW_TASK_FAILED"))
        assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_local_environment_on_a_file_finds_its_runs_again(tmp_path: Path) -> None:
    file = str(tmp_path / "dev.db")
    name = fresh_id()
    async with (
        await WorkflowEnvironment.start_local(dev_server_database_filename=file, ip="127.0.0.1", ui=True) as env,
        serving(env.client, Sleeper),
    ):
        await env.client.execute_workflow(Sleeper.run, 0, id=name, task_queue=QUEUE)
    async with await WorkflowEnvironment.start_local(dev_server_database_filename=file) as env:
        assert await env.client.get_workflow_handle(name).result() == 0


async def test_two_environments_in_memory_share_nothing() -> None:
    async with await WorkflowEnvironment.start_local() as one, await WorkflowEnvironment.start_local() as other:
        async with serving(one.client, Sleeper):
            await outcome(one.client, Sleeper.run, 0)
        assert [run async for run in other.client.list_workflows()] == []


async def test_namespace_and_identity_of_an_environment_are_its_clients() -> None:
    async with await WorkflowEnvironment.start_local(namespace="tests", identity="me") as env:
        assert (env.client.namespace, env.client.identity) == ("tests", "me")
        async with serving(env.client, Sleeper):
            assert await outcome(env.client, Sleeper.run, 0) == 0


@activity.defn
async def by_hand() -> str:
    tokens.append(activity.info().task_token)
    activity.raise_complete_async()


tokens: list[bytes] = []


@workflow.defn
class ByHand:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(by_hand, start_to_close_timeout=timedelta(days=1))


async def test_nothing_is_skipped_while_an_activity_is_to_be_completed_from_outside(
    skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.clear()
    before = await skipping.get_current_time()
    async with serving(skipping.client, ByHand, activities=[by_hand]):
        waiting = asyncio.ensure_future(outcome(skipping.client, ByHand.run))
        await until(lambda: tokens)
        await looked(skipping, monkeypatch)
        await skipping.client.get_async_activity_handle(task_token=tokens[0]).complete("done")
        assert await waiting == "done"
    assert len(tokens) == 1
    assert await skipping.get_current_time() - before < MINUTE


@workflow.defn
class Forgotten:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.done, timeout=7 * DAY)
        await workflow.sleep(DAY)

    @workflow.signal
    def finish(self) -> None:
        self.done = True


async def test_a_cancelled_timer_moves_no_time(skipping: WorkflowEnvironment) -> None:
    before = await skipping.get_current_time()
    async with serving(skipping.client, Forgotten):
        handle = await start(skipping.client, Forgotten.run)
        await handle.signal(Forgotten.finish)
        await handle.result()
    assert await skipping.get_current_time() - before < DAY + MINUTE


@pytest.mark.parametrize("verb", ["start_local", "start_time_skipping", "from_client"])
def test_the_environments_take_what_the_sdk_takes_with_its_defaults(verb: str) -> None:
    theirs = inspect.signature(getattr(sdk.WorkflowEnvironment, verb)).parameters
    ours = inspect.signature(getattr(WorkflowEnvironment, verb)).parameters
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        if name != "data_converter":
            assert ours[name].default == parameter.default, name
