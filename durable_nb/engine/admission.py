"""What callers ask is looked at before a run hears of it: what could not be stored is refused to its caller alone.

A step takes in everything that waits for its run and writes it together, so one value that cannot be written would
take the others down with it.
"""

from __future__ import annotations

from durable_nb.core import cron
from durable_nb.model.requests import SignalInput, StartWorkflow, UpdateWorkflow
from durable_nb.model.storable import why_not_text
from durable_nb.service import RPCError, RPCStatusCode


def admit_texts(**texts: object) -> None:
    """Refuse what is no text, or text that has no stored form.

    Raises
    ------
    RPCError
        INVALID_ARGUMENT: names what it is.
    """
    for name, text in texts.items():
        if type(text) is str and text.isascii():
            continue
        problem = why_not_text(text)
        if problem:
            raise _invalid(f"{name} {problem}")


def admit_start(request: StartWorkflow) -> None:
    """Refuse a start whose names, or whose cron schedule, cannot be used."""
    admit_texts(
        workflow_id=request.workflow_id,
        workflow_type=request.workflow_type,
        task_queue=request.task_queue,
        identity=request.identity,
    )
    for kind, named in (("memo", request.memo), ("search attribute", request.search_attributes)):
        for key in named or ():
            admit_texts(**{f"{kind} key": key})
    if request.cron_schedule:
        try:
            cron.check(request.cron_schedule)
        except ValueError as error:
            raise _invalid(str(error)) from error
    if request.signal is not None:
        admit_signal(request.signal, request.identity)


def admit_signal(signal: SignalInput, identity: str) -> None:
    """Refuse a signal whose name cannot be stored."""
    admit_texts(signal=signal.name, identity=identity)


def admit_update(request: UpdateWorkflow) -> None:
    """Refuse an update whose name or id cannot be stored."""
    admit_texts(update=request.name, update_id=request.update_id, identity=request.identity)


def _invalid(message: str) -> RPCError:
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT)
