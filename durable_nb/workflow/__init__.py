"""What authors of workflows import: decorators, activities, children, timers, messages, the run's own clock and dice.

A face only: the names, signatures and defaults of Temporal's ``workflow`` module over ``durable_nb.runtime``. Left out
is what needs a cluster (Nexus, event groups, versions of workers); parameters for it are accepted and, where leaving
them out in silence would be wrong, refused.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from durable_nb._first_use import on_first_use as _on_first_use
from durable_nb.model.enums import ParentClosePolicy
from durable_nb.runtime.definition import DynamicWorkflowConfig
from durable_nb.runtime.errors import (
    ContinueAsNewError,
    NondeterminismError,
    NotInWorkflowEventLoopError,
    ReadOnlyContextError,
    RestrictedWorkflowAccessError,
)
from durable_nb.runtime.handlers import (
    HandlerUnfinishedPolicy,
    UnfinishedSignalHandlersWarning,
    UnfinishedUpdateHandlersWarning,
)
from durable_nb.runtime.handles import (
    ActivityCancellationType,
    ActivityHandle,
    ChildWorkflowCancellationType,
    ChildWorkflowHandle,
    ContinueAsNewVersioningBehavior,
    ExternalWorkflowHandle,
    VersioningIntent,
)
from durable_nb.runtime.info import Info, ParentInfo, RootInfo, UpdateInfo
from durable_nb.runtime.logger import LoggerAdapter, logger
from durable_nb.workflow._activities import execute_activity, start_activity
from durable_nb.workflow._activity_classes import execute_activity_class, start_activity_class
from durable_nb.workflow._activity_methods import execute_activity_method, start_activity_method
from durable_nb.workflow._asyncio import as_completed, wait
from durable_nb.workflow._children import (
    continue_as_new,
    execute_child_workflow,
    get_external_workflow_handle,
    get_external_workflow_handle_for,
    start_child_workflow,
)
from durable_nb.workflow._context import (
    cancellation_reason,
    current_update_info,
    deprecate_patch,
    extern_functions,
    get_current_details,
    get_last_completion_result,
    get_last_failure,
    has_last_completion_result,
    in_workflow,
    info,
    instance,
    is_failure_exception,
    memo,
    memo_value,
    metric_meter,
    new_random,
    now,
    patched,
    payload_converter,
    random,
    random_seed,
    register_random_seed_callback,
    set_current_details,
    sleep,
    time,
    time_ns,
    upsert_memo,
    upsert_search_attributes,
    uuid4,
    uuid7,
    wait_condition,
)
from durable_nb.workflow._definition import defn, dynamic_config, init, run
from durable_nb.workflow._handlers import (
    all_handlers_finished,
    get_dynamic_query_handler,
    get_dynamic_signal_handler,
    get_dynamic_update_handler,
    get_query_handler,
    get_signal_handler,
    get_update_handler,
    query,
    set_dynamic_query_handler,
    set_dynamic_signal_handler,
    set_dynamic_update_handler,
    set_query_handler,
    set_signal_handler,
    set_update_handler,
    signal,
    update,
)
from durable_nb.workflow._local_activities import execute_local_activity, start_local_activity
from durable_nb.workflow._local_activity_classes import execute_local_activity_class, start_local_activity_class
from durable_nb.workflow._local_activity_methods import execute_local_activity_method, start_local_activity_method
from durable_nb.workflow._typing import UpdateMethodMultiParam
from durable_nb.workflow._unsafe import SandboxImportNotificationPolicy, unsafe

if _TYPE_CHECKING:
    from durable_nb.workflow._configs import ActivityConfig, ChildWorkflowConfig, LocalActivityConfig
else:
    __getattr__, __dir__ = _on_first_use(
        globals(), {"_configs": ("ActivityConfig", "ChildWorkflowConfig", "LocalActivityConfig")}
    )

__all__ = [
    "ActivityCancellationType",
    "ActivityConfig",
    "ActivityHandle",
    "ChildWorkflowCancellationType",
    "ChildWorkflowConfig",
    "ChildWorkflowHandle",
    "ContinueAsNewError",
    "ContinueAsNewVersioningBehavior",
    "DynamicWorkflowConfig",
    "ExternalWorkflowHandle",
    "HandlerUnfinishedPolicy",
    "Info",
    "LocalActivityConfig",
    "LoggerAdapter",
    "NondeterminismError",
    "NotInWorkflowEventLoopError",
    "ParentClosePolicy",
    "ParentInfo",
    "ReadOnlyContextError",
    "RestrictedWorkflowAccessError",
    "RootInfo",
    "SandboxImportNotificationPolicy",
    "UnfinishedSignalHandlersWarning",
    "UnfinishedUpdateHandlersWarning",
    "UpdateInfo",
    "UpdateMethodMultiParam",
    "VersioningIntent",
    "all_handlers_finished",
    "as_completed",
    "cancellation_reason",
    "continue_as_new",
    "current_update_info",
    "defn",
    "deprecate_patch",
    "dynamic_config",
    "execute_activity",
    "execute_activity_class",
    "execute_activity_method",
    "execute_child_workflow",
    "execute_local_activity",
    "execute_local_activity_class",
    "execute_local_activity_method",
    "extern_functions",
    "get_current_details",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_dynamic_update_handler",
    "get_external_workflow_handle",
    "get_external_workflow_handle_for",
    "get_last_completion_result",
    "get_last_failure",
    "get_query_handler",
    "get_signal_handler",
    "get_update_handler",
    "has_last_completion_result",
    "in_workflow",
    "info",
    "init",
    "instance",
    "is_failure_exception",
    "logger",
    "memo",
    "memo_value",
    "metric_meter",
    "new_random",
    "now",
    "patched",
    "payload_converter",
    "query",
    "random",
    "random_seed",
    "register_random_seed_callback",
    "run",
    "set_current_details",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "signal",
    "sleep",
    "start_activity",
    "start_activity_class",
    "start_activity_method",
    "start_child_workflow",
    "start_local_activity",
    "start_local_activity_class",
    "start_local_activity_method",
    "time",
    "time_ns",
    "unsafe",
    "update",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "uuid7",
    "wait",
    "wait_condition",
]
