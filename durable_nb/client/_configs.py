"""Keywords of ``Client`` and ``Client.connect`` as typed dicts, to be kept and passed on with ``**``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from durable_nb.client._interceptor import Interceptor
from durable_nb.client._plugin import Plugin
from durable_nb.common import HeaderCodecBehavior, QueryRejectCondition
from durable_nb.converter import DataConverter

if TYPE_CHECKING:
    from durable_nb.engine import EngineHandle


class ClientConfig(TypedDict, total=False):
    """Keywords of ``Client``: ``Client(**client.config())`` makes an equal one."""

    service_client: EngineHandle
    namespace: str
    data_converter: DataConverter
    plugins: Sequence[Plugin]
    interceptors: Sequence[Interceptor]
    default_workflow_query_reject_condition: QueryRejectCondition | None
    header_codec_behavior: HeaderCodecBehavior
    identity: str | None


class ClientConnectConfig(TypedDict, total=False):
    """Keywords of ``Client.connect``, as ``envconfig`` returns them."""

    target_host: str
    namespace: str
    api_key: str | None
    data_converter: DataConverter
    plugins: Sequence[Plugin]
    interceptors: Sequence[Interceptor]
    default_workflow_query_reject_condition: QueryRejectCondition | None
    tls: Any
    retry_config: Any
    keep_alive_config: Any
    rpc_metadata: Mapping[str, str | bytes]
    identity: str | None
    lazy: bool
    runtime: Any
    http_connect_proxy_config: Any
    header_codec_behavior: HeaderCodecBehavior
