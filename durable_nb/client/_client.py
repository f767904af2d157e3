"""The client: identity of a caller, and the verbs that are about no run in particular.

The verbs that start runs are in ``_starting`` and ``_update_with_start``; those of one run on its handle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Self, cast, overload

from durable_nb.client import _defaults
from durable_nb.client._async_activity import AsyncActivityHandle
from durable_nb.client._client_branching import BranchingClient
from durable_nb.client._engine_calls import EngineCalls
from durable_nb.client._exports import ExportingClient
from durable_nb.client._frames import ClientFrames, set_current
from durable_nb.client._handle import WorkflowHandle
from durable_nb.client._importing import ImportingClient
from durable_nb.client._inputs import AsyncActivityIDReference, CountWorkflowsInput, ListWorkflowsInput
from durable_nb.client._interceptor import Interceptor, OutboundInterceptor
from durable_nb.client._naming import WORKFLOW, named
from durable_nb.client._opening import opener, shown_url
from durable_nb.client._plugin import Plugin
from durable_nb.client._starting import Starting
from durable_nb.client._store_settings import StoreSettings
from durable_nb.client._typing import MultiParamSpec, ReturnType, SelfType
from durable_nb.client._update_with_start import UpdatingWithStart
from durable_nb.common import HeaderCodecBehavior, QueryRejectCondition
from durable_nb.converter import DataConverter, WorkflowSerializationContext

if TYPE_CHECKING:
    from durable_nb.client._configs import ClientConfig
    from durable_nb.client._execution import WorkflowExecutionCount
    from durable_nb.client._listing import WorkflowExecutionAsyncIterator
    from durable_nb.client._typing import FunctionAsyncNoParam
    from durable_nb.engine import EngineHandle


class Client(
    Starting, BranchingClient, UpdatingWithStart, ExportingClient, ImportingClient, ClientFrames, StoreSettings
):
    """Starts workflows and talks to them. May be shared by tasks, threads and loops.

    Parameters
    ----------
    service_client
        The engine (``durable_nb.engine.open_engine``); or, to open it at the first call, a function that returns one.
    namespace
        Runs of other namespaces are invisible.
    data_converter
        How values become payloads; the workers of the same runs need the same.
    plugins, interceptors
        The first one sees a call first.
    default_workflow_query_reject_condition
        For queries that name none.
    header_codec_behavior
        Whether the payload codec covers headers.
    identity
        Who made a request, as recorded in events; ``pid@host`` where None.
    """

    def __init__(
        self,
        service_client: EngineHandle | Callable[[], EngineHandle],
        *,
        namespace: str = _defaults.DEFAULT_NAMESPACE,
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
        identity: str | None = None,
    ) -> None:
        config: ClientConfig = {
            "service_client": cast("EngineHandle", service_client),
            "namespace": namespace,
            "data_converter": data_converter,
            "plugins": plugins,
            "interceptors": interceptors,
            "default_workflow_query_reject_condition": default_workflow_query_reject_condition,
            "header_codec_behavior": header_codec_behavior,
            "identity": identity,
        }
        self._initial_config = config.copy()
        for plugin in plugins:
            config = plugin.configure_client(config)
        self._config = config
        self.namespace: str = config["namespace"]
        """Namespace of every request."""
        self.data_converter: DataConverter = config["data_converter"]
        """How values become payloads."""
        probe = self.data_converter.with_context(WorkflowSerializationContext(self.namespace, ""))
        self._has_contexts = probe is not self.data_converter
        self.identity: str = config.get("identity") or _defaults.default_identity()
        """Who makes the requests."""
        self.interceptors: Sequence[Interceptor] = list(config["interceptors"])
        """Interceptors, the first one first; a worker takes those that are worker interceptors too."""
        self.default_workflow_query_reject_condition = config["default_workflow_query_reject_condition"]
        """For queries that name none."""
        self.header_codec_behavior: HeaderCodecBehavior = config["header_codec_behavior"]
        """Whether the payload codec covers headers."""
        self.rpc_metadata: Mapping[str, str | bytes] = {}
        """Kept for programs written for clusters; no effect."""
        self.api_key: str | None = None
        """Kept for programs written for clusters; no effect."""
        calls: OutboundInterceptor = EngineCalls(self)
        outbound = calls
        for interceptor in reversed(self.interceptors):
            outbound = interceptor.intercept_client(outbound)
        self._outbound = outbound
        self.intercepted = outbound is not calls
        given = config["service_client"]
        self._engine: EngineHandle | None = None
        self._open_engine: Callable[[], EngineHandle] | None = None
        if callable(given):
            self._open_engine = given
        else:
            self._use(given)

    @classmethod
    async def connect(
        cls,
        target_host: str,
        *,
        namespace: str = _defaults.DEFAULT_NAMESPACE,
        api_key: str | None = None,
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        tls: Any = None,
        retry_config: Any = None,
        keep_alive_config: Any = None,
        connect_timeout: timedelta | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        lazy: bool = False,
        runtime: Any = None,
        http_connect_proxy_config: Any = None,
        dns_load_balancing_config: Any = None,
        grpc_compression: Any = None,
        payload_limits: Any = None,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
    ) -> Self:
        """A client of the store at ``target_host``; ``durable_nb.connect`` is the same without ``await``.

        Parameters
        ----------
        target_host
            Store URL: ``sqlite:////path/x.db``, ``sqlite:///durable.db``, …
        lazy
            Open the store at the first call instead of now.
        api_key, tls, retry_config, keep_alive_config, connect_timeout, rpc_metadata, runtime, …
            About the network of a cluster; accepted, so that the same program connects to one, and of no effect.

        Other parameters are those of the class.

        Raises
        ------
        StoreUrlError
            DNB501: not the URL of a store, for instance the address of a cluster.
        StoreError
            DNB5xx: the store cannot be opened; the message says why.
        """
        del tls, retry_config, keep_alive_config, connect_timeout, runtime, http_connect_proxy_config
        del dns_load_balancing_config, grpc_compression, payload_limits
        open_engine = opener(target_host)
        client = cls(
            open_engine if lazy else open_engine(),
            namespace=namespace,
            data_converter=data_converter,
            plugins=plugins,
            interceptors=interceptors,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            header_codec_behavior=header_codec_behavior,
            identity=identity,
        )
        client.api_key, client.rpc_metadata = api_key, rpc_metadata
        set_current(client, target_host if lazy else "")
        return client

    def __repr__(self) -> str:
        where = "a store not opened yet" if self._engine is None else shown_url(self._engine.url)
        namespace = "" if self.namespace == _defaults.DEFAULT_NAMESPACE else f", namespace {self.namespace!r}"
        return f"<Client of {where}{namespace}>"

    def _use(self, engine: EngineHandle) -> None:
        self._engine = engine

    @cached_property
    def frontend(self) -> Any:
        """What answers the requests of ``model.requests``; each method may be awaited on any loop."""
        return self.engine.frontend

    @property
    def engine(self) -> EngineHandle:
        """The engine; a lazy client opens it here."""
        if self._engine is None:
            self._use(cast("Callable[[], EngineHandle]", self._open_engine)())
        return cast("EngineHandle", self._engine)

    @property
    def service_client(self) -> EngineHandle:
        """The engine, under the name that a cluster's connection has."""
        return self.engine

    def converter_for(self, workflow_id: str) -> DataConverter:
        """The data converter, told which workflow it works for if any part of it wants to know."""
        if not self._has_contexts:
            return self.data_converter
        return self.data_converter.with_context(WorkflowSerializationContext(self.namespace, workflow_id))

    def config(self, *, active_config: bool = False) -> ClientConfig:
        """Keywords that make an equal client; with ``active_config`` as plugins left them."""
        config = (self._config if active_config else self._initial_config).copy()
        if self._engine is not None:
            config["service_client"] = self._engine
        config["interceptors"] = list(config["interceptors"])
        return config

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """Handle of a workflow by its ID; nothing is asked of the engine, so it need not exist.

        Parameters
        ----------
        run_id
            Stay with one run; None means the current one.
        first_execution_run_id
            Refuse to cancel or terminate another chain of runs.
        result_type
            What to decode the result to.
        """
        return WorkflowHandle(
            self,
            workflow_id,
            run_id=run_id,
            result_run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
        )

    @overload
    def get_workflow_handle_for(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[SelfType, ReturnType]: ...

    @overload
    def get_workflow_handle_for(
        self,
        workflow: FunctionAsyncNoParam[ReturnType],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[Any, ReturnType]: ...

    def get_workflow_handle_for(
        self,
        workflow: Any,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """``get_workflow_handle`` with the types of a workflow's run method."""
        callee = named(WORKFLOW, workflow)
        return self.get_workflow_handle(
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=None if callee is None else callee.result_type,
        )

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionAsyncIterator:
        """Runs, newest start first, by ``async for``.

        Parameters
        ----------
        query
            Conditions ``WorkflowType = '…'``, ``WorkflowId = '…'``, ``ExecutionStatus = 'Running'`` joined by AND.
        limit
            At most so many runs.

        Raises
        ------
        RPCError
            INVALID_ARGUMENT: the query is not understood; the message says where and why.
        """
        return self._outbound.list_workflows(
            ListWorkflowsInput(query, page_size, next_page_token, rpc_metadata, rpc_timeout, limit)
        )

    async def count_workflows(
        self,
        query: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionCount:
        """Number of runs; the query is that of ``list_workflows`` and may end with GROUP BY ExecutionStatus.

        Raises
        ------
        RPCError
            INVALID_ARGUMENT: the query is not understood; the message says where and why.
        """
        return await self._outbound.count_workflows(CountWorkflowsInput(query, rpc_metadata, rpc_timeout))

    @overload
    def get_async_activity_handle(
        self, *, workflow_id: str, run_id: str | None, activity_id: str
    ) -> AsyncActivityHandle: ...

    @overload
    def get_async_activity_handle(self, *, task_token: bytes) -> AsyncActivityHandle: ...

    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
    ) -> AsyncActivityHandle:
        """Handle of an activity that is completed from outside, by its task token or by ids.

        Raises
        ------
        ValueError
            Neither a token nor ids, or both.
        """
        if task_token is not None:
            if workflow_id is not None or run_id is not None or activity_id is not None:
                raise ValueError("Task token cannot be present with other IDs")
            return AsyncActivityHandle(self, task_token)
        if workflow_id is None or activity_id is None:
            raise ValueError("Workflow ID and activity ID are required without a task token; run_id=None is fine")
        return AsyncActivityHandle(self, AsyncActivityIDReference(workflow_id, run_id, activity_id))
