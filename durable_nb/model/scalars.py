"""Annotated scalar types: how a field is held in memory and how it looks in Temporal's history JSON.

In memory and in the store every field is a plain int, str, list or dict, which is what makes events cheap. The
annotation tells the history-JSON codec how the same field is spelt by the protocol: 64-bit integers as strings,
durations as ``"30s"``, instants in RFC 3339, types and queues as ``{"name": …}``, payload lists, headers, memos and
search attributes in their one-field wrapper messages. Nothing else reads the annotations.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from durable_nb.model.payload import Payload

Int64 = Annotated[int, Meta(extra={"proto": "int64"})]
EventId = Int64
"""1..n within a run; 0 means none."""

DurationUs = Annotated[int, Meta(extra={"proto": "duration"})]
"""Microseconds; 0 means unset."""

LONGEST_DURATION = 1000 * 365 * 86_400 * 1_000_000
"""A thousand years. Longer ones (``timedelta.max``) are recorded as this: an instant so far away still fits a 64-bit
integer of SQL, and a datetime."""

InstantUs = Annotated[int, Meta(extra={"proto": "timestamp"})]
"""Microseconds since the epoch, UTC; 0 means unset."""

TypeName = Annotated[str, Meta(extra={"proto": "named"})]
"""Workflow or activity type."""

TaskQueueName = Annotated[str, Meta(extra={"proto": "task_queue"})]

Payloads = Annotated[list[Payload], Meta(extra={"proto": "payloads"})]
"""Arguments or results, in order; an empty list and None differ: None is 'no such field'."""

Header = Annotated[dict[str, Payload], Meta(extra={"proto": "fields"})]
Memo = Annotated[dict[str, Payload], Meta(extra={"proto": "fields"})]
SearchAttributes = Annotated[dict[str, Payload], Meta(extra={"proto": "indexedFields"})]
MarkerDetails = Annotated[dict[str, Payloads], Meta(extra={"proto": "payloads_map"})]
