"""The versions of workflows that this kernel can run: the current ones, and older ones that open runs are pinned to.

The current version of a type is the object in the user's namespace, alive: it reads its globals there. When a cell is
about to rebind a name that it uses, the version is *frozen* first: its unit runs in a module of its own, and open runs
go on on that, so that no run ever sees half of an edit. Where source cannot make a value again, the frozen module gets
the value as it was. Invariant: a version that is current and not frozen uses exactly the objects that its unit was made
from.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from durable_nb.errors import RestoreError
from durable_nb.notebook.units import Definitions, LoadedUnit, Unit, load_unit


class Serving(Protocol):
    """The worker, as far as versions go (``worker._embedded``)."""

    def register_workflow(self, workflow: Any, digest: str = "", *, current: bool = True) -> Any: ...
    def drop_version(self, workflow_type: str | None, digest: str) -> None: ...


@dataclass
class Version:
    """One version of a workflow in this kernel.

    Parameters
    ----------
    name
        Workflow type, ``DYNAMIC`` for the dynamic workflow.
    definition
        The object of the user's namespace, or what its unit made.
    unit
        None where the source is not known.
    loaded
        The module of its own, while it runs in one.
    """

    name: str
    digest: str
    definition: Any
    unit: Unit | None = None
    loaded: LoadedUnit | None = None

    def uses_any(self, names: Iterable[str]) -> bool:
        """Whether one of these names is used by its code, or will be once it is bound."""
        unit = self.unit
        return unit is not None and any(name in unit.uses or name in unit.absent for name in names)

    def is_changed(self, namespace: Mapping[str, Any]) -> bool:
        """Whether its code would see something else now than when its unit was made."""
        unit = self.unit
        if unit is None:
            return False
        return any(namespace.get(name, _MISSING) is not value for name, value in unit.uses.items()) or any(
            name in namespace for name in unit.absent
        )


_MISSING = object()

DYNAMIC = ""
"""Name of the dynamic workflow, which runs the types that have no definition of their own."""


class VersionKeeper:
    """See the module. Methods are called on the main thread, ``forget`` on any.

    Parameters
    ----------
    find
        What an object defines (``capture.definitions_in``).
    """

    def __init__(self, worker: Serving, find: Definitions) -> None:
        self._worker = worker
        self._find = find
        self._lock = threading.Lock()
        self.current: dict[str, Version] = {}
        self._older: dict[tuple[str, str], Version] = {}

    def take(self, version: Version) -> None:
        """Serve a version as the current one; the one before stays beside it, frozen, for runs pinned to it."""
        before = self.current.get(version.name)
        if before is not None and before.digest and version.digest and before.digest != version.digest:
            self.freeze(before)
            with self._lock:
                self._older[before.name, before.digest] = before
        elif before is not None:
            self._unload(before)
        with self._lock:
            again = self._older.pop((version.name, version.digest), None)
            if not version.digest:  # it serves every run
                self._older = {key: older for key, older in self._older.items() if key[0] != version.name}
        self.current[version.name] = version
        self._worker.register_workflow(version.definition, version.digest)
        if again is not None:
            self._unload(again)

    def freeze(self, version: Version) -> str:
        """Let runs of a version go on in a module of its own; why they cannot, "" where they do or nothing is known."""
        if version.loaded is not None or version.unit is None or not version.digest:
            return ""
        live = {name: version.unit.uses[name] for name in version.unit.lost}
        try:
            loaded = load_unit(version.unit.text, "workflow", version.name, version.digest, self._find, live)
        except RestoreError as error:
            return error.message  # it stays alive in the namespace, as it would without versions
        version.loaded = loaded
        self._worker.register_workflow(loaded.definition, version.digest, current=self._is_current(version))
        return ""

    def thaw(self, version: Version) -> None:
        """The cell changed nothing after all: the object of the namespace takes over again, where there is one."""
        loaded = version.loaded
        if loaded is not None and loaded.definition is not version.definition and self._is_current(version):
            self._worker.register_workflow(version.definition, version.digest)
            self._unload(version)

    def restore(self, version: Version, *, current: bool) -> None:
        """Serve a version that was made from stored source."""
        if current:
            self.take(version)
            return
        with self._lock:
            self._older[version.name, version.digest] = version
        self._worker.register_workflow(version.definition, version.digest, current=False)

    def forget(self, name: str, digest: str) -> bool:
        """Drop an older version that no open run is pinned to; False where it is current or not here."""
        with self._lock:
            version = self._older.pop((name, digest), None)
        if version is None:
            return False
        self._worker.drop_version(name or None, digest)
        self._unload(version)
        return True

    def holds(self, workflow_type: str, digest: str) -> bool:
        """Whether a run of a type that is pinned to a version ("": to none yet) goes on here."""
        current = self.current.get(workflow_type)
        if current is not None and (not digest or current.digest in ("", digest)):
            return True
        if (workflow_type, digest) in self._older:
            return True
        if workflow_type == DYNAMIC or (current is not None and not digest):
            return False
        dynamic = self.current.get(DYNAMIC)
        if current is not None and dynamic is not None and not dynamic.digest:
            return False
        return self.holds(DYNAMIC, digest)

    def digests(self, name: str) -> set[str]:
        """Versions of a definition that run here."""
        current = self.current.get(name)
        found = {version.digest for version in self.older() if version.name == name}
        return found | {current.digest} if current is not None else found

    def older(self) -> list[Version]:
        """Versions that are not current."""
        with self._lock:
            return list(self._older.values())

    def find(self, name: str, digest: str) -> Version | None:
        """A version that runs here."""
        current = self.current.get(name)
        return current if current is not None and current.digest == digest else self._older.get((name, digest))

    def _is_current(self, version: Version) -> bool:
        return self.current.get(version.name) is version

    def _unload(self, version: Version) -> None:
        loaded, version.loaded = version.loaded, None
        if loaded is not None:
            loaded.drop()
