"""Names of the sandbox of the Temporal Python SDK, so that worker set-up code runs unchanged.

There is no sandbox here: workflow code runs in the live namespace of the notebook, where ``runtime`` and the lint of
``%%workflow`` watch it (temporal-semantics 2.10). Restrictions can be written down and have no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from durable_nb.exceptions import TemporalError
from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.runtime.errors import RestrictedWorkflowAccessError
from durable_nb.worker._runner import UnsandboxedWorkflowRunner

__all__ = [
    "RestrictedWorkflowAccessError",
    "SandboxMatcher",
    "SandboxRestrictions",
    "SandboxedWorkflowRunner",
    "UnintentionalPassthroughError",
]


class UnintentionalPassthroughError(TemporalError):
    """Never raised here; the sandbox raises it on imports that it was not told to pass through."""

    def __init__(self, qualified_name: str) -> None:
        super().__init__(f"Module {qualified_name} was not intentionally passed through to the sandbox.")
        self.qualified_name = qualified_name


class SandboxMatcher(FrozenDataclassLike, frozen=True):
    """Which members of a module are forbidden; recorded, not enforced."""

    access: set[str] = frozenset()  # type: ignore[assignment]
    use: set[str] = frozenset()  # type: ignore[assignment]
    children: Mapping[str, SandboxMatcher] = {}
    match_self: bool = False
    only_runtime: bool = False
    leaf_message: str | None = None
    leaf_warning: type[Warning] | None = None
    exclude: set[str] = frozenset()  # type: ignore[assignment]

    all: ClassVar[SandboxMatcher]
    all_runtime: ClassVar[SandboxMatcher]
    none: ClassVar[SandboxMatcher]
    all_uses: ClassVar[SandboxMatcher]
    all_uses_runtime: ClassVar[SandboxMatcher]

    @classmethod
    def nested_child(cls, path: Sequence[str], child: SandboxMatcher) -> SandboxMatcher:
        """``child`` under the names of ``path``."""
        for name in reversed(path):
            child = cls(children={name: child})
        return child

    def __or__(self, other: SandboxMatcher) -> SandboxMatcher:
        return dataclasses.replace(
            self,
            access=self.access | other.access,
            use=self.use | other.use,
            children={**self.children, **other.children},
            match_self=self.match_self or other.match_self,
            exclude=self.exclude | other.exclude,
        )

    def with_child_unrestricted(self, *child_path: str) -> SandboxMatcher:
        """This matcher without the child at the path."""
        first, *rest = child_path
        children = dict(self.children)
        if rest and first in children:
            children[first] = children[first].with_child_unrestricted(*rest)
        else:
            children.pop(first, None)
        return dataclasses.replace(self, children=children, exclude=self.exclude | {first})


SandboxMatcher.none = SandboxMatcher()
SandboxMatcher.all = SandboxMatcher(match_self=True)
SandboxMatcher.all_runtime = SandboxMatcher(match_self=True, only_runtime=True)
SandboxMatcher.all_uses = SandboxMatcher(use={"*"})
SandboxMatcher.all_uses_runtime = SandboxMatcher(use={"*"}, only_runtime=True)


class SandboxRestrictions(FrozenDataclassLike, frozen=True):
    """What a sandbox would pass through and forbid; recorded, not enforced."""

    passthrough_modules: set[str]
    invalid_modules: SandboxMatcher
    invalid_module_members: SandboxMatcher
    import_notification_policy: Any = None
    passthrough_all_modules: bool = False
    disable_lazy_sys_module_passthrough: bool = False

    passthrough_modules_minimum: ClassVar[set[str]] = {"durable_nb"}
    passthrough_modules_with_temporal: ClassVar[set[str]] = {"durable_nb"}
    passthrough_modules_maximum: ClassVar[set[str]] = {"durable_nb"}
    passthrough_modules_default: ClassVar[set[str]] = {"durable_nb"}
    invalid_module_members_default: ClassVar[SandboxMatcher] = SandboxMatcher.none
    default: ClassVar[SandboxRestrictions]

    def with_passthrough_modules(self, *modules: str) -> SandboxRestrictions:
        """These restrictions with more modules passed through."""
        return dataclasses.replace(self, passthrough_modules=self.passthrough_modules | set(modules))

    def with_passthrough_all_modules(self) -> SandboxRestrictions:
        """These restrictions with every module passed through."""
        return dataclasses.replace(self, passthrough_all_modules=True)

    def with_import_notification_policy(self, policy: Any) -> SandboxRestrictions:
        """These restrictions with another policy for imports."""
        return dataclasses.replace(self, import_notification_policy=policy)


SandboxRestrictions.default = SandboxRestrictions(
    passthrough_modules=SandboxRestrictions.passthrough_modules_default,
    invalid_modules=SandboxMatcher.none,
    invalid_module_members=SandboxRestrictions.invalid_module_members_default,
)


class SandboxedWorkflowRunner(UnsandboxedWorkflowRunner):
    """Accepted for portability; runs workflow code like ``UnsandboxedWorkflowRunner``."""

    def __init__(
        self,
        *,
        restrictions: SandboxRestrictions = SandboxRestrictions.default,
        runner_class: type = UnsandboxedWorkflowRunner,
    ) -> None:
        self.restrictions = restrictions
        self.runner_class = runner_class
