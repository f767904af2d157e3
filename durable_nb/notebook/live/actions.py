"""What a click in a display does: the same calls that a cell would make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from durable_nb.errors import DurableError
from durable_nb.exceptions import TemporalError
from durable_nb.model.requests import Target
from durable_nb.notebook.text import safe_text
from durable_nb.service import RPCError

ANSWER_LIMIT = 20_000


async def carry_out(client: Any, target: Target, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what the browser asked for, with the run of ``target``; never raises an error of the request.

    Parameters
    ----------
    request
        ``action`` (signal, query, update, cancel, terminate, retry), and what it needs: ``name`` and ``args`` (JSON
        values), or ``reason``.

    Returns
    -------
    ``ok``, and ``text`` for people.
    """
    try:
        return {"ok": True, "text": await _carry_out(client, target, request)}
    except (RPCError, DurableError, TemporalError, TypeError, ValueError) as error:
        return {"ok": False, "text": safe_text(_message(error), 1000, keep_lines=True)}
    except Exception as error:  # whatever it was, the person who clicked must hear of it
        return {"ok": False, "text": safe_text(f"{type(error).__name__}: {error}", 1000, keep_lines=True)}


async def _carry_out(client: Any, target: Target, request: Mapping[str, Any]) -> str:
    action, name, args = request.get("action"), request.get("name"), request.get("args", [])
    handle = client.get_workflow_handle(target.workflow_id, run_id=target.run_id or None)
    if action in ("signal", "query", "update"):
        if not isinstance(name, str) or not isinstance(args, list):
            raise ValueError(f"a {action} needs a name and a list of arguments")
        if action == "signal":
            await handle.signal(name, args=args)
            return f"signal {safe_text(name, 80)} was recorded"
        if action == "query":
            return _shown(await handle.query(name, args=args))
        return f"update {safe_text(name, 80)} returned {_shown(await handle.execute_update(name, args=args))}"
    reason = request.get("reason")
    reason = reason if isinstance(reason, str) else ""
    if action == "cancel":
        await handle.cancel(reason=reason)
        return "cancellation was requested; the workflow's code decides how it ends"
    if action == "terminate":
        await handle.terminate(reason=reason or None)
        return "terminated"
    if action == "retry":
        return await _retry(handle, target)
    raise ValueError(f"a display cannot {safe_text(action, 40)}")


async def _retry(handle: Any, target: Target) -> str:
    made = await handle.retry()
    if made.run_id and made.run_id != target.run_id:
        return f"a new run goes on from before the failure: {safe_text(made.run_id)}"
    return "what waited is tried again now"


def _shown(value: Any) -> str:
    """A value as JSON where it is, else as Python shows it."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return safe_text(text, ANSWER_LIMIT, keep_lines=True)


def _message(error: BaseException) -> str:
    cause = getattr(error, "cause", None) or error.__cause__
    text = str(error) or type(error).__name__
    return f"{text}: {cause}" if isinstance(cause, BaseException) and str(cause) not in text else text
