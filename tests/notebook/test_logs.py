"""What of the log reaches a cell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
