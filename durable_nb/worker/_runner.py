"""Workflow runners: accepted by ``Worker`` so that set-up code runs unchanged, without a choice behind them.

``runtime`` is the only runner; a subclass with behaviour of its own is not called.
"""

from __future__ import annotations

from typing import Any


class WorkflowRunner:
    """Base of the runners."""

    def prepare_workflow(self, defn: Any) -> None:
        """Accepted and never called."""

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        """Accepted and never called: give ``workflow_failure_exception_types`` to the worker."""


class UnsandboxedWorkflowRunner(WorkflowRunner):
    """Workflow code runs in the live namespace: what durable_nb always does."""
