"""Plugins of clients: objects that change a client's configuration before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_nb.client._configs import ClientConfig


class Plugin:
    """Base of client plugins; one that is also a ``worker.Plugin`` serves the workers of the client too.

    There is no connection to wrap here, so ``configure_client`` is all that is asked of a plugin.
    """

    def name(self) -> str:
        """Name of the plugin."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """The configuration to go on with; changing and returning ``config`` is fine."""
        return config
