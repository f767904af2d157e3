"""What attributes of several kinds of events are made of, and their base."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from durable_nb.model.enums import EventType
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import DurationUs


class RetryPolicyAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Retry policy as recorded; ``common.RetryPolicy`` is what users write."""

    initial_interval: DurationUs = 0
    backoff_coefficient: float = 0.0
    maximum_interval: DurationUs = 0
    maximum_attempts: int = 0
    non_retryable_error_types: list[str] = []


class UserMetadata(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Summary and details that a user attached to a run, activity, timer or child."""

    summary: Payload | None = None
    details: Payload | None = None


class PriorityAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Priority as recorded."""

    priority_key: int = 0
    fairness_key: str = ""
    fairness_weight: float = 0.0


class SdkMetadata(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Flags without which the offline Replayer checks almost nothing (temporal-semantics 9.3)."""

    core_used_flags: list[int] = []
    lang_used_flags: list[int] = []
    sdk_name: str = ""
    sdk_version: str = ""


class Attributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Base of all event attributes; ``event_type`` is the kind of event the struct belongs to."""

    event_type: ClassVar[EventType]
