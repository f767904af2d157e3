"""What can be stored, and read again: text must be ``str`` and must have a UTF-8 form.

Half of a surrogate pair has none. Python makes such text of file names that are no UTF-8 (``os.fsdecode``), so it
turns up in error messages. Encoders do not look at types; decoders do: a number in a place for text would be written,
and the run could never be loaded again. Invariant: whatever enters a history by name passes through here first.
"""

from __future__ import annotations

import msgspec

from durable_nb.model.attributes import Attributes
from durable_nb.model.events import decode_attributes, encode_attributes


def why_not_text(value: object) -> str:
    """What keeps ``value`` from being stored as text; "" when nothing does."""
    if not isinstance(value, str):
        return f"must be str, not {type(value).__name__} ({value!r})"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"has half of a surrogate pair in it, which cannot be stored: {value!a}"
    return ""


def why_not_attributes(attributes: Attributes) -> str:
    """What keeps the attributes of an event from being read again once they are stored; "" when nothing does."""
    try:
        decode_attributes(attributes.event_type, encode_attributes(attributes))
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        return str(error)
    return ""


def as_text(value: object) -> str:
    """``value`` as text that can be stored: ``str`` of it, halves of surrogate pairs written as escapes."""
    try:
        text = str(value)
    except BaseException as error:
        text = f"<{type(value).__name__} whose str() raises {type(error).__name__}>"
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
