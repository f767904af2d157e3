"""``workflow.unsafe``: about replay and the guards; most workflow code needs none of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Flag, auto

from durable_nb.runtime import guards as _guards
from durable_nb.runtime.loop import current


class SandboxImportNotificationPolicy(Flag):
    """Accepted and ignored: there is no sandbox that imports modules."""

    SILENT = auto()
    WARN_ON_DYNAMIC_IMPORT = auto()
    WARN_ON_UNINTENTIONAL_PASSTHROUGH = auto()
    RAISE_ON_UNINTENTIONAL_PASSTHROUGH = auto()


class unsafe:  # noqa: N801 - Temporal's name
    """Not to be instantiated; its functions are static."""

    def __init__(self) -> None:
        raise NotImplementedError

    @staticmethod
    def in_sandbox() -> bool:
        """False: workflow code runs in the live namespace."""
        return False

    @staticmethod
    def is_replaying() -> bool:
        """Whether the code is being replayed. What it does must not depend on this."""
        return current().replaying

    @staticmethod
    def is_replaying_history_events() -> bool:
        """Whether the code is being replayed and no query or validator is running."""
        run = current()
        return run.replaying and not run.in_query_or_validator

    @staticmethod
    def is_read_only() -> bool:
        """Whether nothing may be changed now: in queries, validators and ``dynamic_config``."""
        return current().read_only

    @staticmethod
    def is_sandbox_unrestricted() -> bool:
        """Whether the guards are lifted."""
        return _guards.is_unrestricted()

    @staticmethod
    @contextmanager
    def sandbox_unrestricted() -> Iterator[None]:
        """Within, clock, randomness and I/O are not refused."""
        with _guards.unrestricted():
            yield

    @staticmethod
    def is_imports_passed_through() -> bool:
        """True: imports are ordinary imports."""
        return True

    @staticmethod
    @contextmanager
    def imports_passed_through() -> Iterator[None]:
        """Does nothing: imports are ordinary imports. On a cluster, it keeps modules out of the sandbox."""
        yield

    @staticmethod
    def current_import_notification_policy_override() -> SandboxImportNotificationPolicy | None:
        """None: there is no sandbox."""
        return None

    @staticmethod
    @contextmanager
    def sandbox_import_notification_policy(policy: SandboxImportNotificationPolicy) -> Iterator[None]:
        """Does nothing: there is no sandbox."""
        yield
