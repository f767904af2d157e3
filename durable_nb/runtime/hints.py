"""Type hints of functions as converters want them.

Read on first use, not at decoration: an annotation may name a class of a later notebook cell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self, get_type_hints

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def type_hints(fn: Callable[..., Any], owner: str) -> tuple[list[Any] | None, Any]:
    """Hints of the parameters (without ``self``) and of the result.

    The list is None where a parameter is not positional, for then arguments cannot be counted; a parameter without
    annotation has the hint None. Source: temporal-semantics section 5.

    Raises
    ------
    NameError
        An annotation names something that does not exist (yet).
    """
    try:
        hints = get_type_hints(fn)
    except NameError as error:
        raise NameError(
            f"the type hints of {owner} cannot be read: {error}. Define that name at module level, in this cell or "
            f"one that has run already"
        ) from error
    found: list[Any] = []
    for index, parameter in enumerate(inspect.signature(fn).parameters.values()):
        if index == 0 and parameter.name == "self" and hints.get("self", Self) is Self:
            continue
        if parameter.kind not in _POSITIONAL:
            return None, hints.get("return")
        found.append(hints.get(parameter.name))
    return found, hints.get("return")


def same_parameters(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two functions have the same parameters but for their names."""
    return _unnamed(one) == _unnamed(other)


def _unnamed(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    return [parameter.replace(name="x") for parameter in inspect.signature(fn).parameters.values()]
