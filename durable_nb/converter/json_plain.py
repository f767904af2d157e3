"""The ``json/plain`` converter: every value without an encoding of its own.

Bytes are those of Temporal's default converter (``json_encoding``); decoding by type hint is in ``type_hints``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from durable_nb.converter.json_encoding import AdvancedJSONEncoder, dump, json_default
from durable_nb.converter.payload_converter import EncodingPayloadConverter
from durable_nb.converter.type_hints import JSONTypeConverter, TypePlans, default_plans
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.exceptions import FailureError
from durable_nb.model.payload import Payload

_parse = msgspec.json.Decoder().decode


class JSONPlainPayloadConverter(EncodingPayloadConverter):
    """Values as JSON text.

    Parameters
    ----------
    encoder
        ``json.JSONEncoder`` class for encoding; None for the plain one.
    decoder
        ``json.JSONDecoder`` class for decoding; None for the plain one.
    encoding
        Name written to the payload's ``encoding`` metadata.
    custom_type_converters
        Asked first when a decoded value is converted to its type hint.
    """

    sure_types = frozenset({str, int, float, bool, list, dict, tuple})
    passed_types = frozenset()

    def __init__(
        self,
        *,
        encoder: type[json.JSONEncoder] | None = AdvancedJSONEncoder,
        decoder: type[json.JSONDecoder] | None = None,
        encoding: str = "json/plain",
        custom_type_converters: Sequence[JSONTypeConverter] = (),
    ) -> None:
        super().__init__()
        self._encoder = encoder
        self._decoder = decoder
        self._encoding = encoding
        self._encoding_bytes = encoding.encode()
        self._custom_type_converters = custom_type_converters
        self._plans = TypePlans(custom_type_converters) if custom_type_converters else default_plans()

    @property
    def encoding(self) -> str:
        return self._encoding

    def to_payload(self, value: Any) -> Payload | None:
        """The value as JSON.

        Raises
        ------
        PayloadEncodeError
            DNB401, also a TypeError: names the path of the part that has no JSON form, and what to pass instead.
        """
        if type(value) not in self.sure_types and hasattr(value, "parse_obj"):
            warnings.warn(
                "a pydantic model is stored by its dict() method; give the client "
                "data_converter=durable_nb.contrib.pydantic.pydantic_data_converter to have models validated",
                stacklevel=2,
            )
        try:
            if self._encoder is AdvancedJSONEncoder:
                data = dump(value)
            else:
                data = json.dumps(value, cls=self._encoder, separators=(",", ":"), sort_keys=True).encode()
        except (PayloadEncodeError, FailureError):
            raise
        except Exception as error:  # also what hooks of the user's classes raise
            from durable_nb.converter.unencodable import encode_error  # noqa: PLC0415 - words for mistakes only

            raise encode_error(value, error, self._default_hook()) from error
        return Payload({"encoding": self._encoding_bytes}, data)

    def _default_hook(self) -> Callable[[Any], Any] | None:
        if self._encoder is None:
            return None
        return json_default if self._encoder is AdvancedJSONEncoder else self._encoder().default

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """The value, converted to ``type_hint`` where there is one.

        Raises
        ------
        PayloadDecodeError
            DNB402, also a RuntimeError and TypeError: the data is no JSON, or the value does not fit the hint.
        """
        value = self._load(payload.data)
        return value if type_hint is None else self._plans.convert(type_hint, value)

    def _load(self, data: bytes) -> Any:
        if self._decoder is None:
            try:
                return _parse(data)
            except msgspec.DecodeError:
                pass  # it may still be JSON as Python writes it: NaN, Infinity, lone surrogates
        try:
            return json.loads(data, cls=self._decoder)
        except ValueError as error:
            raise PayloadDecodeError(
                f"the stored data is not JSON: {error}",
                where=f"{len(data)} bytes beginning {data[:40]!r}",
                fix="was it written by another payload codec or data converter? Use the one that wrote it",
            ) from error
