"""``Replayer``: does today's code still agree with recorded histories? Needs no engine and no store.

The check itself is ``runtime.replay``; here are the public names, with Temporal's signatures. Histories recorded by a
cluster are replayed just as well (temporal-semantics 9.5).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, TypedDict

from durable_nb.client import WorkflowHistory
from durable_nb.converter import DataConverter
from durable_nb.converter.codec import apply_codec
from durable_nb.model.events import Event
from durable_nb.policies import HeaderCodecBehavior
from durable_nb.runtime import guards
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.interceptor import WorkflowInterceptorClassInput
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.payload_visitor import visit_payloads
from durable_nb.runtime.replay import begun_anew, replay_history, started_event
from durable_nb.worker._interceptor import Interceptor
from durable_nb.worker._runner import UnsandboxedWorkflowRunner, WorkflowRunner

_RUNNER = UnsandboxedWorkflowRunner()


class ReplayerConfig(TypedDict, total=False):
    """What ``Replayer.config`` gives."""

    workflows: Sequence[Any]
    workflow_task_executor: concurrent.futures.ThreadPoolExecutor | None
    workflow_runner: WorkflowRunner
    unsandboxed_workflow_runner: WorkflowRunner
    namespace: str
    data_converter: DataConverter
    interceptors: Sequence[Interceptor]
    build_id: str | None
    identity: str | None
    workflow_failure_exception_types: Sequence[type[BaseException]]
    debug_mode: bool
    runtime: Any
    disable_safe_workflow_eviction: bool
    header_codec_behavior: HeaderCodecBehavior


@dataclass(frozen=True)
class WorkflowReplayResult:
    """What came of one history."""

    history: WorkflowHistory
    """As it was given."""

    replay_failure: Exception | None
    """``workflow.NondeterminismError`` or another error of the workflow task; None when code and history agree. A
    workflow that ends by failing, and whose history says so, agrees."""


@dataclass(frozen=True)
class WorkflowReplayResults:
    """What came of several histories."""

    replay_failures: Mapping[str, Exception]
    """By run ID; runs that agree are left out."""


class Replayer:
    """Replays histories on workflow code.

    Parameters
    ----------
    workflows
        Decorated classes or functions.
    namespace
        What ``workflow.info()`` tells the code.
    data_converter
        That of the worker which made the histories; its codec is applied.
    interceptors
        Their workflow interceptors take part.
    workflow_failure_exception_types
        As given to the worker.
    debug_mode
        Leave out the guards against clock, randomness and I/O.
    workflow_task_executor, workflow_runner, unsandboxed_workflow_runner, plugins, build_id, identity, runtime
        Accepted so that set-up code runs unchanged; ``plugins`` may change the configuration.
    disable_safe_workflow_eviction, header_codec_behavior
        The former is ignored; the latter says whether headers are decoded.

    Raises
    ------
    ValueError
        No workflow, or one that is not decorated.
    """

    def __init__(
        self,
        *,
        workflows: Sequence[Any],
        workflow_task_executor: concurrent.futures.ThreadPoolExecutor | None = None,
        workflow_runner: WorkflowRunner = _RUNNER,
        unsandboxed_workflow_runner: WorkflowRunner = _RUNNER,
        namespace: str = "ReplayNamespace",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Any] = [],
        build_id: str | None = None,
        identity: str | None = None,
        workflow_failure_exception_types: Sequence[type[BaseException]] = [],
        debug_mode: bool = False,
        runtime: Any = None,
        disable_safe_workflow_eviction: bool = False,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
    ) -> None:
        self._config = ReplayerConfig(
            workflows=list(workflows),
            workflow_task_executor=workflow_task_executor,
            workflow_runner=workflow_runner,
            unsandboxed_workflow_runner=unsandboxed_workflow_runner,
            namespace=namespace,
            data_converter=data_converter,
            interceptors=interceptors,
            build_id=build_id,
            identity=identity,
            workflow_failure_exception_types=workflow_failure_exception_types,
            debug_mode=debug_mode,
            runtime=runtime,
            disable_safe_workflow_eviction=disable_safe_workflow_eviction,
            header_codec_behavior=header_codec_behavior,
        )
        self._initial_config = self._config.copy()
        self.plugins = plugins
        self._config = reduce(lambda config, plugin: plugin.configure_replayer(config), plugins, self._config)
        if not self._config.get("workflows"):
            raise ValueError("At least one workflow must be specified")
        definitions = [WorkflowDefinition.must_from_class(each) for each in self._config["workflows"]]
        self._definitions = {definition.name: definition for definition in definitions}
        self._options = self._runtime_options()

    def _runtime_options(self) -> RuntimeOptions:
        config = self._config
        converter = config["data_converter"]
        wanted = WorkflowInterceptorClassInput(unsafe_extern_functions={})
        classes = [each.workflow_interceptor_class(wanted) for each in config.get("interceptors", ())]
        debug = config.get("debug_mode", False) or bool(os.environ.get("TEMPORAL_DEBUG"))
        return RuntimeOptions(
            payload_converter=converter.payload_converter,
            failure_converter=converter.failure_converter,
            interceptor_classes=[each for each in classes if each is not None],
            extern_functions=wanted.unsafe_extern_functions,
            failure_exception_types=tuple(config.get("workflow_failure_exception_types", ())),
            guards=not debug,
        )

    def config(self, *, active_config: bool = False) -> ReplayerConfig:
        """The configuration as given, or, with ``active_config``, as plugins left it. A copy."""
        config = (self._config if active_config else self._initial_config).copy()
        config["workflows"] = list(config.get("workflows", ()))
        return config

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replay one history.

        Parameters
        ----------
        history
            From ``WorkflowHandle.fetch_history`` or ``WorkflowHistory.from_json``; any object with ``workflow_id``
            and ``events`` will do.
        raise_on_replay_failure
            Raise the failure, else give it in the result.

        Raises
        ------
        workflow.NondeterminismError
            The code did not do what the history says.
        Exception
            What else failed the workflow task; RuntimeError for a workflow type that is not among ``workflows``.
        """

        async def one() -> AsyncIterator[WorkflowHistory]:
            yield history

        async with self.workflow_replay_iterator(one()) as results:
            async for result in results:
                if raise_on_replay_failure and result.replay_failure is not None:
                    raise result.replay_failure
                return result
        raise RuntimeError("No histories")

    async def replay_workflows(
        self, histories: AsyncIterator[WorkflowHistory], *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResults:
        """Replay several histories; with ``raise_on_replay_failure`` stop at the first failure and raise it."""
        failures: dict[str, Exception] = {}
        async with self.workflow_replay_iterator(histories) as results:
            async for result in results:
                if result.replay_failure is None:
                    continue
                if raise_on_replay_failure:
                    raise result.replay_failure
                failures[result.history.run_id] = result.replay_failure
        return WorkflowReplayResults(replay_failures=failures)

    def workflow_replay_iterator(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        """Results one by one, as the histories come: ``async with`` it, then ``async for``."""

        def own(replayer: Replayer, given: AsyncIterator[WorkflowHistory]) -> Any:
            return replayer._iterate(given)

        def wrapped(inner: Any, plugin: Any) -> Any:
            return lambda replayer, given: plugin.run_replayer(replayer, given, inner)

        run = reduce(wrapped, reversed(list(self.plugins)), own)
        return run(self, histories)  # type: ignore[no-any-return]

    @asynccontextmanager
    async def _iterate(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AsyncIterator[AsyncIterator[WorkflowReplayResult]]:
        async def results() -> AsyncIterator[WorkflowReplayResult]:
            async for history in histories:
                yield WorkflowReplayResult(history=history, replay_failure=await self._replay(history))
                await asyncio.sleep(0)  # a long list of histories must not hold the caller's loop

        yield results()

    async def _replay(self, history: WorkflowHistory) -> Exception | None:
        try:
            events = await self._decoded(list(history.events))
            started = started_event(events)
        except ValueError as error:
            return error
        definition = self._definitions.get(started.workflow_type) or self._definitions.get(None)
        if definition is None:
            known = ", ".join(sorted(name for name in self._definitions if name)) or "none"
            return RuntimeError(
                f"Workflow class {started.workflow_type} is not registered on this worker, available workflows: {known}"
            )
        if self._options.guards:
            guards.install()
        outcome = replay_history(
            definition, self._options, history.workflow_id, begun_anew(events), namespace=self._config["namespace"]
        )
        return outcome.failure

    async def _decoded(self, events: list[Event]) -> list[Event]:
        codec = self._config["data_converter"].payload_codec
        if codec is None:
            return events
        behavior = self._config.get("header_codec_behavior", HeaderCodecBehavior.NO_CODEC)
        headers = behavior is not HeaderCodecBehavior.NO_CODEC
        return await visit_payloads(events, partial(apply_codec, codec.decode), headers=headers)  # type: ignore[no-any-return]
