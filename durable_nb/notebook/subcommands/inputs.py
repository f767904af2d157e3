"""Arguments of a line looked at before they are sent.

A run that got a wrong argument fails its workflow task again and again, and a signal with one is dropped: a slip in a
line is cheaper to tell at once. Only what this notebook has the definition of can be looked at, and of types only
those of values that were written as JSON; objects of variables are taken as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.errors import NotebookError, PayloadDecodeError
from durable_nb.notebook.text import safe_text

if TYPE_CHECKING:
    from durable_nb.notebook.session import NotebookSession
    from durable_nb.notebook.subcommands.handlers import Handlers

_JSON = (dict, list, str, int, float, bool, type(None))


def check_start(session: NotebookSession, definition: Any, inputs: Sequence[Any]) -> None:
    """Refuse arguments that the run method of a definition cannot take; None is a definition that is elsewhere.

    Raises
    ------
    NotebookError
        DNB700: says what it takes.
    """
    if definition is not None and definition.name is not None:
        is_method = definition.cls is not None
        _check(session, definition.name, definition.run_fn, is_method, definition.arg_types, inputs)


def check_message(
    session: NotebookSession, known: Handlers | None, kind: str, name: str, inputs: Sequence[Any]
) -> None:
    """The same for a signal, query or update."""
    tables = {"signal": "signals", "query": "queries", "update": "updates"}
    handler = None
    if known is not None and known.definition is not None:
        handler = getattr(known.definition, tables[kind]).get(name)
    if handler is not None:
        _check(session, f"{kind} {name}", handler.fn, handler.is_method, handler.arg_types, inputs)


def _check(
    session: NotebookSession,
    label: str,
    function: Callable[..., Any],
    is_method: bool,
    hints: Sequence[Any] | None,
    inputs: Sequence[Any],
) -> None:
    signature = inspect.signature(function)
    parameters = [*signature.parameters.values()][is_method:]
    takes = f"{label} takes ({', '.join(map(_shown, parameters))})"
    try:
        signature.bind(*range(is_method), *inputs)
    except TypeError:
        count = "1 argument was" if len(inputs) == 1 else f"{len(inputs) or 'no'} arguments were"
        fix = "one --input for each, in this order" if parameters else "leave --input out"
        raise NotebookError(f"{takes}, but {count} given", fix=fix) from None
    converter = session.client.data_converter.payload_converter
    for value, parameter, hint in zip(inputs, parameters, hints or (), strict=False):
        if not isinstance(value, _JSON):
            continue
        try:
            converter.from_payloads(converter.to_payloads([value]), [hint])
        except PayloadDecodeError as error:
            reason = error.message.partition("$: ")[2] or error.message
            raise NotebookError(
                f"{takes}, but {parameter.name} cannot be {safe_text(repr(value), 80)}: {safe_text(reason, 200)}",
                fix="change the --input, or pass a variable as --input {name}",
            ) from None


def _shown(parameter: inspect.Parameter) -> str:
    """``n: int = 3``; annotations that are texts without their quotes."""
    annotation = parameter.annotation
    text = str(parameter)
    return safe_text(text.replace(repr(annotation), annotation) if isinstance(annotation, str) else text, 80)
