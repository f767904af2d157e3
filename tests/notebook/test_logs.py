"""What of the log reaches a cell."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from durable_nb.notebook import logs


@contextmanager
def alone() -> Iterator[None]:
    """No handlers of pytest on the root logger, as in a notebook where nobody configured logging."""
    root = logging.getLogger()
    kept, root.handlers = root.handlers, []
    undo = logs.install()
    try:
        yield
    finally:
        undo()
        root.handlers = kept


FAILED_ATTEMPT = {"__temporal_error_identifier": "ActivityFailure"}


def test_the_users_own_warnings_are_printed_and_ours_that_are_shown_elsewhere_are_not(capsys: Any) -> None:
    with alone():
        logging.getLogger("durable_nb.workflow").warning("mine")
        logging.getLogger("durable_nb.workflow").info("too quiet")
        logging.getLogger("durable_nb.engine").warning("a notice")
        logging.getLogger("durable_nb.activity").warning("Completing activity as failed", extra=FAILED_ATTEMPT)
    assert capsys.readouterr().err == "mine\n"


def test_what_no_kernel_can_send_is_printed_as_escapes_and_no_thread_waits_for_it(monkeypatch: Any) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "flush", lambda: pytest.fail("it may wait ten seconds"))
    monkeypatch.setattr(sys, "stderr", stream)
    with alone():
        logging.getLogger("durable_nb.activity").warning("half of a pair: %s", "\ud800")
    assert stream.getvalue() == "half of a pair: \\ud800\n"


def test_with_configured_logging_nothing_is_printed_twice_or_lost(capsys: Any, caplog: Any) -> None:
    with alone():
        logging.getLogger().addHandler(caplog.handler)
        logging.getLogger("durable_nb.activity").warning("failed", extra=FAILED_ATTEMPT)
        logging.getLogger("durable_nb.workflow").warning("mine")
    assert caplog.messages == ["failed", "mine"]
    assert capsys.readouterr().err == ""


def test_installing_can_be_taken_back() -> None:
    before = list(logging.getLogger("durable_nb").handlers)
    logs.install()()
    assert logging.getLogger("durable_nb").handlers == before
