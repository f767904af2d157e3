"""Forms for the messages that a workflow takes, made from the type hints of its handlers.

A form is plain data for the browser: fields with a kind (``bool``, ``int``, ``float``, ``str``, ``enum``, ``object``,
``json``) and what is needed to fill them in. What comes back is one JSON value for each argument, which the handler's
own hints turn into what it expects.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from durable_nb.notebook.text import safe_text
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.handlers import HandlerDefinition

MAX_FIELDS = 12
MAX_OPTIONS = 24

_PLAIN = {bool: "bool", int: "int", float: "float", str: "str"}


class Talk(NamedTuple):
    """What a run can be told and asked: forms of its signals, updates and queries."""

    signals: list[dict[str, Any]]
    updates: list[dict[str, Any]]
    queries: list[dict[str, Any]]


def talk_of_definition(definition: WorkflowDefinition | None) -> Talk:
    """Forms from the code of a workflow that is here."""
    if definition is None:
        return Talk([], [], [])
    return Talk(
        _forms(definition.signals, "signal"), _forms(definition.updates, "update"), _forms(definition.queries, "query")
    )


def talk_of_metadata(metadata: Mapping[str, Any]) -> Talk:
    """Forms from the answer to ``__temporal_workflow_metadata``, of a workflow whose code is elsewhere.

    It names handlers and describes them; their arguments are unknown and taken as JSON.
    """
    definition = metadata.get("definition") or {}

    def forms(key: str, kind: str) -> list[dict[str, Any]]:
        return [
            _form(kind, str(each.get("name", "")), str(each.get("description", "")), None)
            for each in definition.get(key) or []
            if each.get("name") and not str(each["name"]).startswith("__")
        ]

    return Talk(
        forms("signalDefinitions", "signal"), forms("updateDefinitions", "update"), forms("queryDefinitions", "query")
    )


def _forms(handlers: Mapping[Any, HandlerDefinition], kind: str) -> list[dict[str, Any]]:
    named = [each for each in handlers.values() if each.name and not each.name.startswith("__")]
    return [
        _form(kind, each.name or "", _description(each), _arguments(each)) | {"described": bool(each.description)}
        for each in named
    ]


def _description(handler: HandlerDefinition) -> str:
    """Given to the decorator, else the first line of the docstring."""
    if handler.description:
        return handler.description
    return (inspect.getdoc(handler.fn) or "").partition("\n")[0]


def _form(kind: str, name: str, description: str, fields: list[dict[str, Any]] | None) -> dict[str, Any]:
    form: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "label": _words(name),
        "description": safe_text(description, 300),
    }
    if fields is None:
        form |= {"fields": [], "free": True}
    else:
        form |= {"fields": fields, "free": False}
    return form


def _arguments(handler: HandlerDefinition) -> list[dict[str, Any]] | None:
    """A field for each argument; None where they cannot be told."""
    try:
        parameters = list(inspect.signature(handler.fn).parameters.values())[int(handler.is_method) :]
        hints = handler.arg_types
    except Exception:  # hints that name something unknown: the message is taken as JSON
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters) or len(parameters) > MAX_FIELDS:
        return None
    types_ = hints if hints is not None and len(hints) == len(parameters) else [Any] * len(parameters)
    return [
        _field(parameter.name, hint, parameter.default, depth=0)
        for parameter, hint in zip(parameters, types_, strict=True)
    ]


def _field(name: str, hint: Any, default: Any, *, depth: int) -> dict[str, Any]:
    inner, optional = _without_none(hint)
    field: dict[str, Any] = {
        "name": safe_text(name, 80),
        "label": _words(name),
        "required": default is inspect.Parameter.empty and not optional,
        "nullable": optional or default is None,
    }
    if inner in _PLAIN:
        field["kind"] = _PLAIN[inner]
    elif options := _options(inner):
        field |= {"kind": "enum", "options": options}
    elif depth == 0 and (parts := _parts(inner)) is not None:
        field |= {"kind": "object", "fields": parts}
    else:
        field["kind"] = "json"
    given = _given(default)
    if given is not None:
        field["default"] = given
    return field


def _without_none(hint: Any) -> tuple[Any, bool]:
    """``T`` of ``T | None``, and whether None is allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [each for each in get_args(hint) if each is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


def _options(hint: Any) -> list[dict[str, Any]] | None:
    """Labels and JSON values of an enum or of literals; None for other types."""
    if isinstance(hint, type) and issubclass(hint, StrEnum | IntEnum):  # others cannot be made from JSON
        found = [(member.name, member.value) for member in hint]
    elif get_origin(hint) is Literal:
        found = [(str(value), value) for value in get_args(hint)]
    else:
        return None
    if not 0 < len(found) <= MAX_OPTIONS or any(type(value) not in (str, int, bool) for _, value in found):
        return None
    return [{"label": safe_text(label, 80), "value": value} for label, value in found]


def _parts(hint: Any) -> list[dict[str, Any]] | None:
    """Fields of a dataclass, a msgspec or pydantic model, a named tuple's place is not taken; None for other types."""
    if not isinstance(hint, type):
        return None
    parts: list[tuple[str, Any, Any]] | None = None
    try:
        hints = typing.get_type_hints(hint)
    except Exception:  # a name that is unknown by now
        return None
    empty = inspect.Parameter.empty
    if dataclasses.is_dataclass(hint):
        parts = [(f.name, hints.get(f.name, Any), _dataclass_default(f)) for f in dataclasses.fields(hint) if f.init]
    elif hasattr(hint, "model_fields"):
        parts = [
            (name, hints.get(name, Any), empty if info.is_required() else info.default)
            for name, info in hint.model_fields.items()
        ]
    elif typing.is_typeddict(hint):
        needed: frozenset[str] = getattr(hint, "__required_keys__", frozenset())
        parts = [(name, each, empty if name in needed else None) for name, each in hints.items()]
    if not parts or len(parts) > MAX_FIELDS:
        return None
    return [_field(name, each, default, depth=1) for name, each, default in parts]


def _dataclass_default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return inspect.Parameter.empty if field.default_factory is dataclasses.MISSING else None


def _given(default: Any) -> Any:
    """A default as JSON value for a form; None for none."""
    if isinstance(default, Enum):
        default = default.value
    return default if type(default) in (str, int, float, bool) and _is_json(default) else None


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return True


def _words(name: str) -> str:
    """``ship_to`` as ``ship to``."""
    return safe_text(name.replace("_", " ").strip() or name, 80)


def joined(talk: Talk, metadata: Talk) -> Talk:
    """Forms of the definition, and those of handlers that only the running workflow knows (set at run time)."""

    def add(known: list[dict[str, Any]], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = {form["name"] for form in known}
        return known + [form for form in told if form["name"] not in names]

    return Talk(*(add(known, told) for known, told in zip(talk, metadata, strict=True)))


def cards(talk: Talk, *, waits: bool, most: int = 3) -> list[dict[str, Any]]:
    """The forms that are put before a person because the run waits for one of them.

    A run that stands in ``workflow.wait_condition``, with no activity or child to wait for, waits for a message. Which
    one it cannot say, so those are offered that were described (``@workflow.signal(description=…)``), where none was,
    those that have a docstring, and else all; ``workflow.set_current_details`` is the question above them.
    """
    if not waits:
        return []
    offered = [*talk.signals, *talk.updates]
    described = [form for form in offered if form.get("described")]
    return (described or [form for form in offered if form["description"]] or offered)[:most]
