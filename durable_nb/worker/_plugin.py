"""Plugins of workers: change the configuration, wrap the running."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_nb.worker._config import WorkerConfig
    from durable_nb.worker._worker import Worker


class Plugin:
    """Base of worker plugins; every method may be left as it is."""

    def name(self) -> str:
        """Name of the plugin."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """The configuration to go on with; changing and returning ``config`` is fine."""
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run the worker by ``await next(worker)``."""
        await next(worker)

    def configure_replayer(self, config: Any) -> Any:
        """The configuration of a replayer to go on with."""
        return config

    def run_replayer(self, replayer: Any, histories: Any, next: Callable[[Any, Any], Any]) -> Any:
        """Replay by ``next(replayer, histories)``."""
        return next(replayer, histories)
