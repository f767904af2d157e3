"""``%workflow at``: the run as it was at an event, or a slider through its history."""

from __future__ import annotations

import argparse
from bdb import BdbQuit
from typing import TYPE_CHECKING, Any

from durable_nb.client._moment import Moment
from durable_nb.errors import NotebookError
from durable_nb.notebook.blocks import Message
from durable_nb.notebook.display import View
from durable_nb.notebook.subcommands.arguments import add_target
from durable_nb.notebook.subcommands.asking import ask, handle
from durable_nb.notebook.subcommands.subcommand import Subcommand
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.client._travel import Journey
    from durable_nb.notebook.session import NotebookSession

NAME = "moment"
"""Variable that the moment is bound to."""

_BOUND = "__durable_nb_bound__"
"""Key of the namespace under which it is remembered what was put there."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument(
        "event", nargs="?", type=int, help="event id; -1 is the last one; without it, a slider through the history"
    )
    parser.add_argument("--debug", action="store_true", help="breakpoint() in the workflow's code stops here")
    parser.add_argument(
        "--no-bind", action="store_true", help="do not put the local variables of run, and self, into the notebook"
    )


def run(session: NotebookSession, options: argparse.Namespace) -> Any:
    journey = ask(session, options.id, handle(session, options).journey())
    if options.event is None:
        if options.debug:
            raise NotebookError("--debug needs an event", fix=f"%workflow at {options.id} -1 --debug")
        return session.slider_of(journey, session.client)
    moment = _moment(journey, options.event, options.debug)
    session.show(View([Message("\n".join(_bind(session.shell.user_ns, moment, not options.no_bind)))]))
    return moment


def _moment(journey: Journey, event_id: int, debug: bool) -> Moment:
    try:
        return journey.at(event_id, debug=debug)
    except BdbQuit:
        raise NotebookError("the debugger was left before the event was reached", fix="continue with c") from None
    except ValueError as error:
        raise NotebookError(str(error), fix="%workflow history lists the events") from error


def _bind(namespace: dict[str, Any], moment: Moment, names: bool) -> list[str]:
    """Bind the moment and, with ``names``, its variables, in place of those of an earlier one; in words, what was done.

    What the user has bound is left alone.
    """
    bound: dict[str, Any] = namespace.setdefault(_BOUND, {})
    for name, value in [*bound.items()]:
        if namespace.get(name) is value:
            del namespace[name]
    bound.clear()
    wanted: dict[str, Any] = {NAME: moment}
    if names:
        wanted |= {"self": moment.workflow, **moment.locals}
    if isinstance(namespace.get(NAME), Moment):
        del namespace[NAME]
    taken = [name for name in wanted if name in namespace]
    for name, value in wanted.items():
        if name not in taken:
            namespace[name] = bound[name] = value
    lines = [f"bound in this notebook: {safe_text(', '.join(bound), 400)}"] if bound else []
    if taken:
        lines.append(
            f"not bound, because you have variables of these names: {safe_text(', '.join(taken), 400)}; "
            f"m = %workflow at … gives the moment as a value, m.locals its variables"
        )
    return lines


COMMAND = Subcommand(
    "at",
    "a run as it was at an event: local variables, stack, pending work",
    configure,
    run,
    (
        "%workflow at order-1 17",
        "%workflow at order-1 17 --no-bind",
        "%workflow at order-1 -1 --debug",
        "%workflow at order-1",
    ),
)
