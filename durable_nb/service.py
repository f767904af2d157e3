"""Errors of requests to the engine, with the status names of Temporal's service.

``RPCError`` keeps its name because programs that run against a cluster catch it; there is no network here.
"""

from __future__ import annotations

from enum import IntEnum

from durable_nb.exceptions import TemporalError


class RPCStatusCode(IntEnum):
    """gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(TemporalError):
    """A request was refused or could not be answered; ``status`` says why."""

    def __init__(self, message: str, status: RPCStatusCode, raw_grpc_status: bytes = b"") -> None:
        super().__init__(message)
        self._message = message
        self._status = status
        self._raw_grpc_status = raw_grpc_status

    @property
    def message(self) -> str:
        """What happened."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """Status code."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Always empty: there is no gRPC call behind this error."""
        return self._raw_grpc_status
