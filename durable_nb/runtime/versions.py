"""The workflow definitions of a host: of each type several versions, told apart by the digest of their source.

Runs are pinned to a digest. A version without one ("": a worker of a program, a definition whose source is not known)
takes runs of any digest, as a worker of a cluster does. The dynamic definition has versions, too; it serves types that
have none of their own, and runs that are pinned to one of its versions, whatever has been defined since. Invariant: a
type that has versions has exactly one current version, the one that new runs are pinned to.
"""

from __future__ import annotations

from durable_nb.runtime.definition import WorkflowDefinition


class Versions:
    """Definitions by type (None: the dynamic one) and digest."""

    def __init__(self) -> None:
        self._types: dict[str | None, dict[str, WorkflowDefinition]] = {}
        self._current: dict[str | None, str] = {}

    def add(
        self, definition: WorkflowDefinition, digest: str = "", *, current: bool = True
    ) -> list[WorkflowDefinition]:
        """Take a version in; gives those whose place it takes: that of the same digest, and one without a digest.

        One without a digest takes the place of all others. The first version of a type is its current one even where
        ``current`` is False.
        """
        name = definition.name
        versions = self._types.setdefault(name, {})
        replaced = [versions.pop(each) for each in [*versions] if not digest or each in ("", digest)]
        versions[digest] = definition
        if current or self._current.get(name) not in versions:
            self._current[name] = digest
        return replaced

    def remove(self, workflow_type: str | None, digest: str | None = None) -> list[WorkflowDefinition]:
        """Take out one version, or all of a type; gives what was taken out.

        Where the current version goes and others stay, the one that came last is current.
        """
        versions = self._types.get(workflow_type, {})
        gone = [versions.pop(each) for each in ([*versions] if digest is None else [digest]) if each in versions]
        if not versions:
            self._types.pop(workflow_type, None)
            self._current.pop(workflow_type, None)
        elif self._current[workflow_type] not in versions:
            self._current[workflow_type] = next(reversed(versions))
        return gone

    def find(self, workflow_type: str, digest: str = "") -> WorkflowDefinition | None:
        """The version of that digest, else one without a digest, else the current one; None for an unknown type."""
        name = self._name(workflow_type, digest)
        versions = self._types.get(name)
        if versions is None:
            return None
        if digest:
            found = versions.get(digest) or versions.get("")
            if found is not None:
                return found
        return versions[self._current[name]]

    def serves(self, workflow_type: str, digest: str = "") -> bool:
        """Whether a run that is pinned to ``digest`` ("": to none) may go on here."""
        versions = self._types.get(self._name(workflow_type, digest))
        return versions is not None and (not digest or digest in versions or "" in versions)

    def holds(self, workflow_type: str, digest: str = "") -> bool:
        """Whether that very version is here; for "", whether there is any."""
        versions = self._types.get(self._name(workflow_type, digest))
        return versions is not None and (not digest or digest in versions)

    def current_digest(self, workflow_type: str) -> str:
        """Digest that new runs of a type are pinned to; "" for an unknown type or source."""
        return self._current.get(self._name(workflow_type), "")

    def digests(self, workflow_type: str | None) -> list[str]:
        """Digests of a type's versions, oldest first."""
        return [*self._types.get(workflow_type, ())]

    @property
    def names(self) -> list[str]:
        """Types that have a definition of their own, sorted."""
        return sorted(name for name in self._types if name is not None)

    def _name(self, workflow_type: str, digest: str = "") -> str | None:
        """The type whose versions are meant; None for those of the dynamic definition."""
        own = self._types.get(workflow_type)
        if own is None or (digest and digest not in own and digest in self._types.get(None, ())):
            return None
        return workflow_type
