"""``patched`` and ``deprecate_patch`` (temporal-semantics 3.11 and 9.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from durable_nb.model.attributes import Attributes, MarkerRecorded, UpsertWorkflowSearchAttributes
from durable_nb.model.payload import Payload
from durable_nb.runtime.flags import PATCH_UPSERT
from durable_nb.runtime.issued import Issued

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance

MARKER_NAME = "core_patch"
VERSION_ATTRIBUTE = "TemporalChangeVersion"
_LARGEST_UPSERT = 2047
_JSON = {"encoding": b"json/plain"}


class Patches:
    """Patches of one run; made when the first one is met."""

    __slots__ = ("answers", "in_history")

    def __init__(self) -> None:
        self.answers: dict[str, bool] = {}
        """What ``patched`` said, by id: the first answer sticks."""
        self.in_history: dict[str, None] = {}
        """Ids whose marker was found in the history, be it further on in the same task."""


def patches_of(run: WorkflowInstance) -> Patches:
    """The run's patches, made if there were none."""
    if run.patches is None:
        run.patches = Patches()
    return run.patches


def patched(run: WorkflowInstance, id: str, *, deprecated: bool) -> bool:
    """Whether the run takes the new path; the first answer for an id sticks."""
    run.assert_writable("patch")
    if not isinstance(id, str):
        raise TypeError(f"the id of a patch must be str, not {type(id).__name__} ({id!r})")
    known = patches_of(run)
    answer = known.answers.get(id)
    if answer is not None:
        return answer
    use = known.answers[id] = not run.replaying or id in known.in_history
    if use:
        data = json.dumps({"id": id, "deprecated": deprecated}, separators=(",", ":")).encode()
        details = {"patch-data": [Payload(metadata=_JSON, data=data)]}
        run.emit(MarkerRecorded(marker_name=MARKER_NAME, details=details))
        if not run.replaying or PATCH_UPSERT in run.core_flags:
            _upsert_versions(run, known)
    return use


def _upsert_versions(run: WorkflowInstance, known: Patches) -> None:
    issued = sorted(patch for patch, answer in known.answers.items() if answer)
    data = json.dumps(issued, separators=(",", ":"), ensure_ascii=False).encode()
    if len(data) > _LARGEST_UPSERT:
        return  # As Temporal's runtime: the attribute would be refused, the marker is what counts.
    payload = Payload(metadata={**_JSON, "type": b"KeywordList"}, data=data)
    run.emit(UpsertWorkflowSearchAttributes(search_attributes={VERSION_ATTRIBUTE: payload}))
    run.search_attribute_payloads()[VERSION_ATTRIBUTE] = payload


def read_marker(attributes: Attributes) -> tuple[str, bool] | None:
    """Id of the patch that a marker records and whether it is deprecated; None for other events."""
    if not isinstance(attributes, MarkerRecorded) or attributes.marker_name != MARKER_NAME:
        return None
    details = attributes.details or {}
    payloads = details.get("patch-data")
    if payloads:
        data = json.loads(payloads[0].data)
        return str(data["id"]), bool(data.get("deprecated", False))
    # The form of the first releases: plain bytes.
    old, flag = details.get("patch_id"), details.get("deprecated")
    if not old or not flag:
        return None
    return old[0].data.decode(), any(flag[0].data[:1])


def is_patch(issued: Issued) -> bool:
    """Whether a command is the marker of a patch."""
    return isinstance(issued.attributes, MarkerRecorded) and issued.attributes.marker_name == MARKER_NAME


def is_version_upsert(attributes: Attributes) -> bool:
    """Whether an event is the upsert that follows the marker of a patch."""
    return (
        isinstance(attributes, UpsertWorkflowSearchAttributes)
        and attributes.search_attributes is not None
        and VERSION_ATTRIBUTE in attributes.search_attributes
    )
