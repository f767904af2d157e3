"""Memo and search attributes that workflow code changes, and what it sees of them (temporal-semantics 3.12)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from durable_nb.converter import encode_search_attributes
from durable_nb.model.attributes import UpsertWorkflowSearchAttributes, WorkflowPropertiesModified
from durable_nb.runtime.handles import arg_unset
from durable_nb.search_attributes import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
)

if TYPE_CHECKING:
    from durable_nb.model.payload import Payload
    from durable_nb.runtime.instance import WorkflowInstance

_KEYWORD_LIST = SearchAttributeIndexedValueType.KEYWORD_LIST


def warn_untyped(attributes: Any) -> None:
    """The dict form of search attributes is deprecated."""
    if attributes and isinstance(attributes, Mapping):
        warnings.warn("Dictionary-based search attributes are deprecated", DeprecationWarning, stacklevel=3)


def upsert_search_attributes(
    run: WorkflowInstance, attributes: Mapping[str, Any] | Sequence[SearchAttributeUpdate[Any]]
) -> None:
    """Emit the command and let ``info()`` show the change at once."""
    fields = encode_search_attributes(attributes)
    run.emit(UpsertWorkflowSearchAttributes(search_attributes=fields))
    run.search_attribute_payloads().update(fields)
    info = run.info()
    untyped = cast("MutableMapping[str, Any]", info.search_attributes)
    typed = cast("list[SearchAttributePair[Any]]", info.typed_search_attributes.search_attributes)
    if isinstance(attributes, Mapping):
        untyped.update(attributes)
        for name, values in attributes.items():
            _show_untyped(typed, name, values)
        return
    for update in attributes:
        name = update.key.name
        pair = None if update.value is None else SearchAttributePair(update.key, update.value)
        _replace(typed, name, pair)
        if update.value is None:
            untyped[name] = []
        elif update.key.indexed_value_type is _KEYWORD_LIST:
            untyped[name] = list(update.value)
        else:
            untyped[name] = [update.value]


def _show_untyped(typed: list[SearchAttributePair[Any]], name: str, values: list[Any]) -> None:
    """Untyped values in the typed view, as far as their type can be guessed."""
    if not values:
        _replace(typed, name, None)
        return
    key = SearchAttributeKey.guess_from_values(name, cast("Any", values))
    if key is not None:
        single = key.indexed_value_type is not _KEYWORD_LIST
        _replace(typed, name, SearchAttributePair(key, values[0] if single else values))


def _replace(typed: list[SearchAttributePair[Any]], name: str, pair: SearchAttributePair[Any] | None) -> None:
    for at, each in enumerate(typed):
        if each.key.name == name:
            typed[at : at + 1] = [] if pair is None else [pair]
            return
    if pair is not None:
        typed.append(pair)


def memo(run: WorkflowInstance) -> Mapping[str, Any]:
    """All of the memo, converted without hints."""
    if run.converted_memo is None:
        run.converted_memo = {
            name: run.converter.from_payload(payload) for name, payload in run.info().raw_memo.items()
        }
    return run.converted_memo


def memo_value(run: WorkflowInstance, key: str, default: Any, type_hint: Any) -> Any:
    """One value of the memo.

    Raises
    ------
    KeyError
        There is none, and no default.
    """
    payload = run.info().raw_memo.get(key)
    if payload is not None:
        return run.converter.from_payload(payload, type_hint)
    if default is arg_unset:
        raise KeyError(f"Memo does not have a value for key {key}")
    return default


def upsert_memo(run: WorkflowInstance, updates: Mapping[str, Any]) -> None:
    """Emit the command and let ``memo()`` show the change at once; None removes a value."""
    convert = run.converter.to_payload
    # Everything is encoded before the command exists, so that a value that cannot be leaves nothing half done.
    changed: dict[str, Payload] = {name: convert(value) for name, value in updates.items() if value is not None}
    removed = [name for name, value in updates.items() if value is None]
    if not changed and not removed:
        return
    null = convert(None) if removed else None
    fields = {name: changed.get(name) or cast("Payload", null) for name in [*changed, *removed]}
    run.emit(WorkflowPropertiesModified(upserted_memo=fields))
    raw = cast("MutableMapping[str, Payload]", run.info().raw_memo)
    raw.update(changed)
    for name in removed:
        raw.pop(name, None)
    converted = run.converted_memo
    if converted is not None:
        converted.update({name: run.converter.from_payload(payload) for name, payload in changed.items()})
        for name in removed:
            converted.pop(name, None)
