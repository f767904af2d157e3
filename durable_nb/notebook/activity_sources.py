"""The sources of a notebook's activities: stored when they are made, and again when something that they use changes.

Activities are not versions as workflows are: whatever runs next runs the newest. Their source is for the next kernel.
What needs an instance is stored as the statement that made the instance, with its class (``units.build_bound_unit``).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from durable_nb.errors import DefinitionSourceError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.blocks import Message
from durable_nb.notebook.capture import ACTIVITY_ATTRIBUTE, activity_types_of
from durable_nb.notebook.display import View, now_us
from durable_nb.notebook.sources import Located, locate
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.units import FORMER_CLASS, CellStatements, Unit, build_bound_unit, title_of
from durable_nb.notebook.units.statements import Statement
from durable_nb.notebook.versions import Version


class Keeper(Protocol):
    """What is asked of ``definitions``."""

    show: Any

    def unit_of(self, definition: Any, located: Located, kind: str) -> Unit | None: ...
    def namespace_of(self, definition: Any) -> Mapping[str, Any]: ...
    def origin_of(self, kind: str, name: str) -> str: ...
    def store(self, rows: list[DefinitionRow]) -> None: ...


class _Kept(NamedTuple):
    """``bound_as`` is the name of the instance that the activity belongs to, "" for a plain function."""

    definition: Any
    unit: Unit
    bound_as: str = ""


class ActivitySources:
    """See the module. Used on the main thread."""

    def __init__(self, namespace: Mapping[str, Any], statements: CellStatements, keeper: Keeper) -> None:
        self._namespace = namespace
        self._statements = statements
        self._keeper = keeper
        self._kept: dict[str, _Kept] = {}

    def keep(self, activity: Any, unit: Unit, bound_as: str = "") -> None:
        """Remember what the source of an activity was made of."""
        self._kept[str(getattr(activity, ACTIVITY_ATTRIBUTE).name or "")] = _Kept(activity, unit, bound_as)

    def unit_of_bound(self, activity: Any, bound_as: str) -> tuple[Unit, str] | None:
        """The unit of an activity of an instance, and the cell that made the instance; None where there is neither."""
        if bound_as not in self._namespace:
            return None
        method = getattr(activity, "__func__", None)
        try:
            unit = build_bound_unit(bound_as, method.__name__ if method else "", self._namespace, self._statements)
        except Exception:  # source that only Python itself understands
            return None
        self.keep(activity, unit, bound_as)
        statement = self._statements.find(bound_as)
        return unit, statement.cell if statement is not None else ""

    def renew(self) -> None:
        """Store those anew that would see something else now."""
        for name, kept in list(self._kept.items()):
            namespace = self._namespace if kept.bound_as else self._keeper.namespace_of(kept.definition)
            if Version(name, "", kept.definition, kept.unit).is_changed(namespace):
                self._store_again(name, kept)

    def _store_again(self, name: str, kept: _Kept) -> None:
        self._kept.pop(name)
        unit = self._made_again(kept)
        if unit is None:
            return
        origin = self._keeper.origin_of("activity", name)
        self._keeper.store([DefinitionRow(unit.digest, name, "activity", unit.text, origin, now_us())])
        if FORMER_CLASS in unit.lost.get(kept.bound_as, ""):
            where = f" ({origin})" if origin else ""
            text = (
                f"activity {title_of(name)} still runs the code of before, as {kept.bound_as} was made from it: "
                f"make {kept.bound_as} anew{where}"
            )
            self._keeper.show(View([Message(safe_text(text, 600), "warn")]))

    def _made_again(self, kept: _Kept) -> Unit | None:
        if kept.bound_as:
            found = self.unit_of_bound(kept.definition, kept.bound_as)
            return found[0] if found is not None else None
        try:
            return self._keeper.unit_of(kept.definition, locate(kept.definition), "activity")
        except DefinitionSourceError:
            return None

    def without_instance(self, bound: Mapping[str, Statement]) -> dict[str, list[str]]:
        """Activities of classes that a cell defined, by class, where nobody has made an instance yet."""
        found = {}
        for name, statement in bound.items():
            value = self._namespace.get(name)
            if isinstance(statement.node, ast.ClassDef) and isinstance(value, type):
                types = [each for each in activity_types_of([value]) if each not in self._kept]
                if types:
                    found[name] = types
        return found
