"""Timers."""

from __future__ import annotations

from durable_nb.model.attributes.parts import Attributes
from durable_nb.model.enums import EventType
from durable_nb.model.scalars import DurationUs, EventId


class TimerStarted(Attributes):
    event_type = EventType.TIMER_STARTED
    timer_id: str = ""
    start_to_fire_timeout: DurationUs = 0
    workflow_task_completed_event_id: EventId = 0


class TimerFired(Attributes):
    event_type = EventType.TIMER_FIRED
    timer_id: str = ""
    started_event_id: EventId = 0


class TimerCanceled(Attributes):
    event_type = EventType.TIMER_CANCELED
    timer_id: str = ""
    started_event_id: EventId = 0
    workflow_task_completed_event_id: EventId = 0
    identity: str = ""
