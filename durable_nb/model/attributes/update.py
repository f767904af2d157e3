"""Updates."""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes.parts import Attributes
from durable_nb.model.enums import EventType
from durable_nb.model.failure import Failure
from durable_nb.model.scalars import EventId, Header, Payloads


class UpdateMeta(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    update_id: str = ""
    identity: str = ""


class UpdateInput(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    header: Header | None = None
    name: str = ""
    args: Payloads | None = None


class UpdateRequestAttributes(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    meta: UpdateMeta | None = None
    input: UpdateInput | None = None


class UpdateOutcome(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """Exactly one of the two is set."""

    success: Payloads | None = None
    failure: Failure | None = None


class WorkflowExecutionUpdateAccepted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    protocol_instance_id: str = ""
    accepted_request_message_id: str = ""
    accepted_request_sequencing_event_id: EventId = 0
    accepted_request: UpdateRequestAttributes | None = None


class WorkflowExecutionUpdateCompleted(Attributes):
    event_type = EventType.WORKFLOW_EXECUTION_UPDATE_COMPLETED
    meta: UpdateMeta | None = None
    accepted_event_id: EventId = 0
    outcome: UpdateOutcome | None = None
