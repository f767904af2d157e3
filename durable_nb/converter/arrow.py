"""Tables and arrays as Arrow IPC streams: encoding ``binary/arrow``.

pandas, polars, pyarrow and NumPy objects keep their types and cost no JSON. None of these packages, nor what knows them
(``arrow_tables``, ``arrow_arrays``), is imported unless a value comes from it or a payload asks for it; no pickle
anywhere. What is small and ordinary stays JSON, so that other workers can read it: real NumPy scalars become numbers,
and so do arrays *inside* dicts and dataclasses.

Metadata: ``kind`` (pandas, polars, pyarrow, numpy), ``object`` (class name), what the kind needs to rebuild the
object, and ``preview``, a small JSON object (rows, columns, first rows) for people and front ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.converter.payload_converter import EncodingPayloadConverter
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.model.payload import Payload

Parts = tuple[dict[str, str], bytes]
"""Metadata and IPC stream."""

_PACKAGES = frozenset(("numpy", "pandas", "polars", "pyarrow"))
_KIND_LIMIT = 1024
_UNSEEN = object()


class ArrowPayloadConverter(EncodingPayloadConverter):
    """Data frames, series, Arrow tables and NumPy arrays, by Arrow IPC."""

    passed_types = frozenset({type(None), bytes, str, int, float, bool, list, dict, tuple})

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[type, str | None] = {}

    @property
    def encoding(self) -> str:
        return "binary/arrow"

    def to_payload(self, value: Any) -> Payload | None:
        """The payload; None for values of other packages and for those with a natural JSON form.

        Raises
        ------
        PayloadEncodeError
            DNB401: pyarrow is missing, or the value holds something that Arrow cannot hold; names the column.
        """
        kind: Any = self._kinds.get(type(value), _UNSEEN)
        if kind is _UNSEEN:
            kind = self._learn(type(value))
        if kind is None:
            return None
        try:
            parts = _encoder(kind)(value)
        except PayloadEncodeError:
            raise
        except ImportError as error:
            raise PayloadEncodeError(
                f"a {type(value).__name__} travels as Arrow, and {error.name} is not installed",
                fix="pip install 'durable_nb[arrow]'",
            ) from error
        except Exception as error:
            from durable_nb.converter.arrow_tables import REMEDY  # noqa: PLC0415 - see the module docstring

            raise PayloadEncodeError(
                f"$: this {type(value).__name__} cannot be stored as Arrow: {type(error).__name__}: {error}",
                fix=REMEDY,
            ) from error
        if parts is None:
            return None
        metadata = {key: text.encode() for key, text in parts[0].items()}
        return Payload({"encoding": b"binary/arrow", "kind": kind.encode(), **metadata}, parts[1])

    def _learn(self, cls: type) -> str | None:
        """Which package a class, or a class that it derives from, belongs to."""
        packages = [base.__module__.partition(".")[0] for base in cls.__mro__]
        kind = next((package for package in packages if package in _PACKAGES), None)
        if len(self._kinds) >= _KIND_LIMIT:
            self._kinds.clear()
        self._kinds[cls] = kind
        return kind

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The object as it was; where the hint names a table of another package, that kind of table.

        Raises
        ------
        PayloadDecodeError
            DNB402: the package is not installed here, or the data is damaged.
        """
        metadata = {key: text.decode() for key, text in payload.metadata.items()}
        kind = metadata.get("kind", "")
        try:
            if kind == "numpy":
                from durable_nb.converter import arrow_arrays  # noqa: PLC0415 - see the module docstring

                return arrow_arrays.decode(metadata, payload.data, type_hint)
            if kind in _PACKAGES:
                from durable_nb.converter import arrow_tables  # noqa: PLC0415 - see the module docstring

                return arrow_tables.decode(kind, metadata, payload.data, type_hint)
        except ImportError as error:
            raise PayloadDecodeError(
                f"the stored value is a {kind} {metadata.get('object', 'object')}, and {error.name} is not installed",
                fix=f"pip install {error.name}",
            ) from error
        except Exception as error:
            raise PayloadDecodeError(
                f"the stored {kind} {metadata.get('object', 'object')} cannot be read: {type(error).__name__}: {error}",
                fix="was it written by a newer version of the package?",
            ) from error
        raise PayloadDecodeError(f"unknown kind of Arrow value: {kind!r}", fix="use a newer durable_nb")


def _encoder(kind: str) -> Callable[[Any], Parts | None]:
    if kind == "numpy":
        from durable_nb.converter import arrow_arrays  # noqa: PLC0415 - see the module docstring

        return arrow_arrays.encode
    from durable_nb.converter import arrow_tables  # noqa: PLC0415 - see the module docstring

    return arrow_tables.ENCODERS[kind]
