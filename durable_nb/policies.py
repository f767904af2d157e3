"""Options that callers attach to runs and activities: retry policy, priority, query and header behaviour, raw values.

Public under ``durable_nb.common``. The recorded forms are structs of ``model``; each class here converts to and from
its struct. Worker versioning names exist so that programs import them; durable_nb keeps the source of definitions
with the runs instead, so they change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, ClassVar

import msgspec

from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes
from durable_nb.model.dataclass_like import DataclassLike, FrozenDataclassLike
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import LONGEST_DURATION

_MICROSECOND = timedelta(microseconds=1)


class RetryPolicy(DataclassLike):
    """When and how often to try again.

    The defaults are those of activities without a policy: 1 s, doubling, capped at 100 times the first interval,
    no limit on attempts. Workflows and children without a policy are not retried (temporal-semantics 3.1, 3.8).
    """

    initial_interval: timedelta = timedelta(seconds=1)
    """Delay before the second attempt."""

    backoff_coefficient: float = 2.0
    """Each delay is the one before times this."""

    maximum_interval: timedelta | None = None
    """Longest delay; None means 100 times ``initial_interval``."""

    maximum_attempts: int = 0
    """Attempts altogether; 0 means no limit, 1 means no retry."""

    non_retryable_error_types: Sequence[str] | None = None
    """Types of ApplicationError (class names of plain exceptions) after which there is no other attempt."""

    def to_attributes(self) -> RetryPolicyAttributes:
        """Recorded form, defaults filled in.

        Raises
        ------
        ValueError
            An interval or the number of attempts is negative, the coefficient is below 1, or the maximum interval is
            below the initial one. A policy that allows one attempt only is not checked further.
        TypeError
            A field has another type than declared; recorded, it could never be read again.
        """
        self._check_types()
        self._validate()
        return RetryPolicyAttributes(
            initial_interval=min(self.initial_interval // _MICROSECOND, LONGEST_DURATION),
            backoff_coefficient=self.backoff_coefficient,
            maximum_interval=self._longest_interval(),
            maximum_attempts=self.maximum_attempts,
            non_retryable_error_types=list(self.non_retryable_error_types or ()),
        )

    def _longest_interval(self) -> int:
        if self.maximum_interval:
            return min(self.maximum_interval // _MICROSECOND, LONGEST_DURATION)
        return min(100 * (self.initial_interval // _MICROSECOND), LONGEST_DURATION)

    @staticmethod
    def from_attributes(attributes: RetryPolicyAttributes) -> RetryPolicy:
        """Policy from its recorded form."""
        return RetryPolicy(
            initial_interval=timedelta(microseconds=attributes.initial_interval),
            backoff_coefficient=attributes.backoff_coefficient,
            maximum_interval=timedelta(microseconds=attributes.maximum_interval)
            if attributes.maximum_interval
            else None,
            maximum_attempts=attributes.maximum_attempts,
            non_retryable_error_types=list(attributes.non_retryable_error_types) or None,
        )

    def _check_types(self) -> None:
        attempts = self.maximum_attempts
        if not isinstance(attempts, int):
            raise TypeError(f"maximum_attempts must be int, not {type(attempts).__name__} ({attempts!r})")
        coefficient = self.backoff_coefficient
        if not isinstance(coefficient, float | int):
            raise TypeError(f"backoff_coefficient must be float, not {type(coefficient).__name__} ({coefficient!r})")
        first: object = self.initial_interval
        longest: object = self.maximum_interval
        if not isinstance(first, timedelta):
            raise TypeError(_no_interval("initial_interval", first))
        if longest is not None and not isinstance(longest, timedelta):
            raise TypeError(_no_interval("maximum_interval", longest))
        kinds: Any = self.non_retryable_error_types or ()
        if isinstance(kinds, str):
            raise TypeError(f"non_retryable_error_types must be a list of names: write [{kinds!r}]")
        for kind in kinds:
            if not isinstance(kind, str):
                name = getattr(kind, "__name__", "TheError")
                raise TypeError(f"non_retryable_error_types are names of classes: write {name!r} for {kind!r}")

    def _validate(self) -> None:
        if self.maximum_attempts == 1:
            return
        zero = timedelta()
        if self.initial_interval < zero:
            raise ValueError("Initial interval cannot be negative")
        if self.backoff_coefficient < 1:
            raise ValueError("Backoff coefficient cannot be less than 1")
        if self.maximum_interval:
            if self.maximum_interval < zero:
                raise ValueError("Maximum interval cannot be negative")
            if self.maximum_interval < self.initial_interval:
                raise ValueError("Maximum interval cannot be less than initial interval")
        if self.maximum_attempts < 0:
            raise ValueError("Maximum attempts cannot be negative")


def _no_interval(name: str, given: object) -> str:
    return f"{name} must be a timedelta, not {type(given).__name__}: write timedelta(seconds={given!r})"


class Priority(FrozenDataclassLike, frozen=True):
    """Order of tasks that wait in a queue: lower ``priority_key`` first, then fair shares by key and weight.

    Unset fields are inherited from the workflow that starts the activity or child.
    """

    priority_key: int | None = None
    """1 is the most urgent; 3 is taken where nothing is set."""

    fairness_key: str | None = None
    """Tasks with the same key share; for instance a tenant."""

    fairness_weight: float | None = None
    """Share of the key relative to others; 1.0 where nothing is set."""

    default: ClassVar[Priority]
    """The priority with nothing set."""

    def __post_init__(self) -> None:
        if self.fairness_key is not None and not isinstance(self.fairness_key, str):
            raise TypeError("fairness_key must be a string")
        if self.fairness_weight is not None and not isinstance(self.fairness_weight, float | int):
            raise TypeError("fairness_weight must be a number")
        if self.priority_key is None:
            return
        if not isinstance(self.priority_key, int):
            raise TypeError("priority_key must be an integer")
        if self.priority_key < 1:
            raise ValueError("priority_key must be a positive integer")

    def to_attributes(self) -> PriorityAttributes | None:
        """Recorded form; None when nothing is set."""
        if self.priority_key is None and self.fairness_key is None and self.fairness_weight is None:
            return None
        return PriorityAttributes(
            priority_key=self.priority_key or 0,
            fairness_key=self.fairness_key or "",
            fairness_weight=self.fairness_weight or 0.0,
        )

    @staticmethod
    def from_attributes(attributes: PriorityAttributes | None) -> Priority:
        """Priority from its recorded form."""
        if attributes is None:
            return Priority.default
        return Priority(
            priority_key=attributes.priority_key or None,
            fairness_key=attributes.fairness_key or None,
            fairness_weight=attributes.fairness_weight or None,
        )


Priority.default = Priority()


# A struct rather than a dataclass, like the other small values here: made faster, and imported faster.
class RawValue(msgspec.Struct, frozen=True):
    """A payload that is passed through unconverted.

    As a parameter or return type it keeps the payload converter away from the value; codecs still apply.
    """

    payload: Payload


class QueryRejectCondition(IntEnum):
    """When a query is refused with ``WorkflowQueryRejectedError`` instead of answered."""

    NONE = 1
    NOT_OPEN = 2
    NOT_COMPLETED_CLEANLY = 3


class HeaderCodecBehavior(IntEnum):
    """Whether the payload codec is applied to headers."""

    NO_CODEC = 1
    CODEC = 2
    WORKFLOW_ONLY_CODEC = 3


class VersioningBehavior(IntEnum):
    """Worker versioning of clusters; accepted and ignored here."""

    UNSPECIFIED = 0
    PINNED = 1
    AUTO_UPGRADE = 2


class WorkerDeploymentVersion(msgspec.Struct, frozen=True):
    """Version of a worker deployment; accepted and ignored here."""

    deployment_name: str
    build_id: str

    def to_canonical_string(self) -> str:
        """``deployment_name.build_id``."""
        return f"{self.deployment_name}.{self.build_id}"

    @staticmethod
    def from_canonical_string(canonical: str) -> WorkerDeploymentVersion:
        """Version from ``deployment_name.build_id``; the name holds no dot.

        Raises
        ------
        ValueError
            There is no dot in the text.
        """
        name, dot, build_id = canonical.partition(".")
        if not dot:
            raise ValueError(
                f"Cannot parse version string: {canonical}, must be in format <deployment_name>.<build_id>"
            )
        return WorkerDeploymentVersion(name, build_id)
