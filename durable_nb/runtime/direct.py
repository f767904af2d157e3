"""Activities called directly: ``await charge(order)`` in workflow code schedules the activity.

The wrapper that ``activity.defn`` makes asks ``in_workflow`` first, which is one comparison, and calls
``call_activity`` only there; elsewhere the activity stays a plain function.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

from durable_nb.runtime.loop import current, here
from durable_nb.runtime.starting import start_activity

DEFAULT_START_TO_CLOSE = timedelta(hours=24)
"""Timeout of one attempt when the decorator names neither of the two closing timeouts.

Long on purpose: notebook steps may run for hours, and an activity whose process died is found by the engine's
leases, not by this timeout.
"""


def in_workflow(loop: Any = None) -> bool:
    """Whether the caller is workflow code; ``loop``, once the running loop, is not needed and not looked at."""
    return here.loop is not None


def call_activity(definition: Any, args: Sequence[Any]) -> Awaitable[Any]:
    """Schedule an activity now, with the options of its decorator; the result is awaited for the activity's result.

    Parameters
    ----------
    definition
        What ``activity.defn`` left on the function: has ``name``, ``arg_types``, ``ret_type``, ``options``.
    args
        Positional arguments.

    Raises
    ------
    NotInWorkflowEventLoopError
        The caller is not workflow code.
    """
    options = dict(definition.options)
    if not options.get("start_to_close_timeout") and not options.get("schedule_to_close_timeout"):
        options["start_to_close_timeout"] = DEFAULT_START_TO_CLOSE
    return start_activity(current(), definition.fn, args, **options)
