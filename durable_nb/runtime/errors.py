"""Errors that only workflow code and its runtime meet.

Public ones are re-exported by ``durable_nb.workflow``. The private ones are ``BaseException`` so that ``except
Exception`` in workflow code does not swallow what the runtime uses to stop a coroutine.
"""

from __future__ import annotations

from durable_nb.errors import AuthoringError
from durable_nb.exceptions import TemporalError


class NondeterminismError(TemporalError):
    """Workflow code did not do what its history says it did.

    The message shows both and where in the code; the parts are attributes too.

    Attributes
    ----------
    message
        All of it.
    event_id
        The event at which code and history part; 0 when unknown.
    recorded, actual
        What the history says, and what the code did.
    where
        Place in workflow code, "" when unknown.
    """

    def __init__(
        self, message: str, *, event_id: int = 0, recorded: str = "", actual: str = "", where: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.event_id = event_id
        self.recorded = recorded
        self.actual = actual
        self.where = where


class ReadOnlyContextError(TemporalError):
    """A query handler, update validator or other read-only function tried to change something."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotInWorkflowEventLoopError(TemporalError):
    """A function of ``durable_nb.workflow`` was called outside workflow code."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or ("Not in workflow event loop",)))
        self.message = str(self.args[0])


class RestrictedWorkflowAccessError(AuthoringError, TemporalError):
    """Workflow code called something whose result a replay cannot repeat, or that acts on the world.

    The SDK has it in ``worker.workflow_sandbox``, as this package does too.
    """

    code = "DNB120"

    def __init__(
        self, qualified_name: str, *, override_message: str | None = None, where: str = "", fix: str = ""
    ) -> None:
        super().__init__(override_message or self.default_message(qualified_name), where=where, fix=fix)
        self.qualified_name = qualified_name

    @staticmethod
    def default_message(qualified_name: str) -> str:
        """What the error says when it is not told otherwise."""
        return f"workflow code called {qualified_name}, which a replay cannot repeat"


class ContinueAsNewError(BaseException):
    """Raised by ``continue_as_new`` to leave the workflow; let it pass.

    It is a BaseException so that ``except Exception`` does not stop it.
    """

    def __init__(self, *args: object) -> None:
        if type(self) is ContinueAsNewError:
            raise RuntimeError("Cannot instantiate ContinueAsNewError directly: call workflow.continue_as_new()")
        super().__init__(*args)


class WorkflowBeingEvictedError(BaseException):
    """Ends coroutines whose run is leaving the cache; never an error of the workflow."""


class DeadlockInterrupt(BaseException):
    """Injected into a workflow step that does not yield."""


class DeadlockError(Exception):
    """Workflow code held the loop too long; the message says where."""


class StaleInstanceError(Exception):
    """The task does not continue where this instance stands: it must be rebuilt from the whole history."""
