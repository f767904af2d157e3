"""What workflow code can learn about its run: ``workflow.info()`` and ``workflow.current_update_info()``.

Source: temporal-semantics 3.12.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.model.payload import Payload
from durable_nb.policies import Priority, RetryPolicy, WorkerDeploymentVersion
from durable_nb.runtime.loop import current
from durable_nb.search_attributes import SearchAttributes, TypedSearchAttributes


class ParentInfo(FrozenDataclassLike, frozen=True):
    """The run that started this one as its child."""

    namespace: str
    run_id: str
    workflow_id: str


class RootInfo(FrozenDataclassLike, frozen=True):
    """The run at the top of the tree of children."""

    run_id: str
    workflow_id: str


class UpdateInfo(FrozenDataclassLike, frozen=True):
    """The update that the calling code handles."""

    id: str
    name: str

    @property
    def logger_details(self) -> Mapping[str, Any]:
        """What the logger adds to records."""
        return {"update_id": self.id, "update_name": self.name}


class Info(FrozenDataclassLike, frozen=True):
    """The run. Frozen, save that upserts show in ``search_attributes``, ``typed_search_attributes``, ``raw_memo``."""

    attempt: int
    """1, or more when the workflow was retried as a whole."""
    continued_run_id: str | None
    cron_schedule: str | None
    execution_timeout: timedelta | None
    first_execution_run_id: str
    """First run of the chain that continue-as-new, retry and cron make."""
    headers: Mapping[str, Payload]
    namespace: str
    original_execution_run_id: str
    """Run ID of the started event; unlike ``run_id`` a reset does not change it."""
    parent: ParentInfo | None
    root: RootInfo | None
    priority: Priority
    raw_memo: Mapping[str, Payload]
    retry_policy: RetryPolicy | None
    run_id: str
    run_timeout: timedelta | None
    search_attributes: SearchAttributes
    """The old untyped form."""
    start_time: datetime
    """When the first workflow task started."""
    task_queue: str
    task_timeout: timedelta
    typed_search_attributes: TypedSearchAttributes
    workflow_id: str
    workflow_start_time: datetime
    """When the run was started."""
    workflow_type: str

    def logger_details(self) -> Mapping[str, Any]:
        """What the logger adds to records."""
        return {
            "attempt": self.attempt,
            "namespace": self.namespace,
            "run_id": self.run_id,
            "task_queue": self.task_queue,
            "workflow_id": self.workflow_id,
            "workflow_type": self.workflow_type,
        }

    def get_current_build_id(self) -> str:
        """Always "": durable_nb stores the source of a definition with its runs instead of versions of workers."""
        current()
        return ""

    def get_current_deployment_version(self) -> WorkerDeploymentVersion | None:
        """Always None, as ``get_current_build_id``."""
        current()
        return None

    def get_current_history_length(self) -> int:
        """Events in history up to the current workflow task."""
        return current().history_length

    def get_current_history_size(self) -> int:
        """Bytes of history up to the current workflow task."""
        return current().history_size

    def is_continue_as_new_suggested(self) -> bool:
        """Whether history has grown long enough to continue as new."""
        return current().suggest_continue_as_new

    def is_target_worker_deployment_version_changed(self) -> bool:
        """Always False, as ``get_current_build_id``."""
        current()
        return False


current_update: contextvars.ContextVar[UpdateInfo | None] = contextvars.ContextVar(
    "durable_nb_current_update", default=None
)
"""Set in the task of an update handler, and so in the tasks that it starts."""
