"""An engine handle and a client as a worker sees them, and a runtime host that answers from a script."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from durable_nb.common import HeaderCodecBehavior
from durable_nb.converter import DataConverter
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskOutcome
from durable_nb.model.requests import ActivityReference
from durable_nb.model.tasks import HeartbeatReply, QueryAnswer, QueryRequest, WorkflowTask


class PretendedClock:
    def __init__(self) -> None:
        self.at = 5_000_000

    def now(self) -> int:
        return self.at


class PretendedFrontend:
    def __init__(self) -> None:
        self.heartbeats: list[tuple[ActivityReference, Any]] = []

    async def heartbeat_activity(self, reference: ActivityReference, details: Any) -> HeartbeatReply:
        self.heartbeats.append((reference, details))
        return HeartbeatReply()


class PretendedEngine:
    """Remembers which ports are registered. Its loop is the one it is made on."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = PretendedClock()
        self.frontend = PretendedFrontend()
        self.ports: list[Any] = []
        self.changes = 0
        self.is_closed = False

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        if asyncio._get_running_loop() is self.loop:
            callback(*args)
        else:
            self.loop.call_soon_threadsafe(callback, *args)

    def register_worker(self, port: Any) -> None:
        self.ports.append(port)

    def unregister_worker(self, port: Any) -> None:
        self.ports.remove(port)

    def definitions_changed(self, port: Any) -> None:
        self.changes += 1


class PretendedClient:
    """What a worker asks of a client."""

    def __init__(self, engine: PretendedEngine, **config: Any) -> None:
        self.engine = engine
        self.namespace = "default"
        self.identity = "me@here"
        self.data_converter: DataConverter = config.pop("data_converter", DataConverter.default)
        self._config = {
            "interceptors": [],
            "plugins": [],
            "header_codec_behavior": HeaderCodecBehavior.NO_CODEC,
            **config,
        }

    @property
    def frontend(self) -> PretendedFrontend:
        return self.engine.frontend

    def config(self, *, active_config: bool = False) -> dict[str, Any]:
        return dict(self._config)


class ScriptedHost:
    """Gives prepared outcomes, in order, and remembers what it was asked."""

    def __init__(self, *outcomes: WorkflowTaskOutcome | None) -> None:
        self.outcomes = deque(outcomes)
        self.tasks: list[WorkflowTask] = []
        self.ends: list[tuple[int, Any]] = []
        self.queries: list[Any] = []
        self.evicted: list[int] = []
        self.types = {"Known"}

    def serves(self, workflow_type: str, digest: str = "") -> bool:
        return workflow_type in self.types

    def holds(self, run_key: int) -> bool:
        return run_key not in self.evicted

    def handle(self, run_key: int, task: WorkflowTask) -> WorkflowTaskOutcome | None:
        self.tasks.append(task)
        return self.outcomes.popleft()

    def resolve_local_activity(self, run_key: int, seq: int, end: Any) -> WorkflowTaskOutcome | None:
        self.ends.append((seq, end))
        return self.outcomes.popleft()

    def heartbeat(self, run_key: int) -> WorkflowTaskCompletion:
        return WorkflowTaskCompletion(commands=[], force_new_task=True)

    def query(
        self, run_key: int, request: QueryRequest, task: WorkflowTask | None, definition: Any = None
    ) -> QueryAnswer:
        self.queries.append((request, task))
        return QueryAnswer(result=request.args)

    def evict(self, run_key: int) -> None:
        self.evicted.append(run_key)

    def evict_all(self) -> None:
        self.evicted.append(-1)
