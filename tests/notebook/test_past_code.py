"""Closed runs are asked and travelled on the code that they closed on, or it is said plainly on which other."""

from __future__ import annotations

from typing import Any

import pytest

from durable_nb.errors import DefinitionMissingError, RestoreError
from durable_nb.model.requests import Target
from durable_nb.notebook.moments import moment_blocks
from durable_nb.notebook.plain import render_text
from durable_nb.service import RPCError
from durable_nb.worker._past import KEPT, Made, PastCode
from durable_nb.workflow import NondeterminismError
from tests.notebook.test_editing import SLEEP, Notebook, flow, notebook
from tests.notebook.test_restoring import Restart, flush, handle, restart, tamper

__all__ = ["notebook", "restart"]

pytestmark = pytest.mark.slow


def closed(notebook: Notebook, workflow_id: str = "a") -> str:
    """A run that closed on a version that has been collected since; its digest."""
    notebook.cell(flow())
    [one] = notebook.paid(workflow_id)
    assert notebook.finish(one) == 3
    flush(notebook)
    return notebook.digest(workflow_id)


def moment(notebook: Notebook, event_id: int = -1) -> Any:
    return notebook.ask(handle(notebook).at(event_id))


def test_after_an_edit_a_closed_run_is_seen_on_its_own_version(notebook: Notebook) -> None:
    digest = closed(notebook)
    notebook.cell(flow(SLEEP, version="two"))
    assert digest not in notebook.hosted()
    assert notebook.version(handle(notebook)) == "one"
    seen = moment(notebook, 5)
    assert seen.locals == {"n": 1}
    assert seen.code == f"version {digest[:8]}, from its stored source"
    assert seen.where.source, "its lines are shown"
    assert f"version {digest[:8]}, from its stored source" in render_text(moment_blocks(seen))
    assert digest not in notebook.hosted(), "new runs do not begin on it"


def test_the_version_that_is_in_service_is_named_too(notebook: Notebook) -> None:
    digest = closed(notebook)
    assert moment(notebook).code == f"version {digest[:8]}"


def test_after_a_restart_a_closed_run_needs_no_cell(restart: Restart) -> None:
    digest = closed(restart())
    second = restart()
    assert second.hosted() == []
    assert second.version(handle(second)) == "one"
    assert moment(second).code == f"version {digest[:8]}, from its stored source"
    assert second.hosted() == []
    assert second.session.types() == []


def test_code_of_somebody_else_does_not_run_to_look_back_and_it_is_said_who_answers(restart: Restart) -> None:
    digest = closed(restart("somebody else"))
    second = restart()
    why = "its stored source is signed by somebody else, or the secret has changed"
    with pytest.raises(RPCError, match=why):
        second.version(handle(second))
    with pytest.raises(DefinitionMissingError, match=why):
        moment(second)
    second.cell(flow(result="paid + 100", version="two"))
    now = second.hosted()[0]
    notices: list[Any] = []
    second.session.engine.on_notice(notices.append)
    assert second.version(handle(second)) == "two"
    [notice] = notices
    assert notice.kind == "answered_by_other_code"
    assert notice.message == (
        f"it closed on version {digest[:8]} of Order, which is not here ({why}); "
        f"query version was answered by the code of now, version {now[:8]}"
    )
    note = f"the code of now, version {now[:8]}, and not version {digest[:8]} that the run is on: {why}"
    assert moment(second).code == note
    second.cell(flow(SLEEP, version="three"))
    with pytest.raises(NondeterminismError, match=r"replayed   on the code of now, version \w{8}, and not version"):
        moment(second)


def test_the_users_word_is_enough_for_looking_back(restart: Restart) -> None:
    digest = closed(restart("somebody else"))
    second = restart()
    second.shell.run_line_magic("workflow", "restore a --yes")
    second.cell(flow(SLEEP, version="two"))
    assert digest not in second.hosted(), "collected: no open run is on it"
    assert second.version(handle(second)) == "one"
    assert moment(second).code == f"version {digest[:8]}, from its stored source"


def test_a_tampered_row_does_not_run_to_look_back(restart: Restart, tmp_path: Any) -> None:
    digest = closed(restart())
    tamper(tmp_path, "UPDATE definitions SET source = source || 'raise SystemExit' WHERE kind = 'workflow'")
    second = restart()
    with pytest.raises(RPCError, match="tampered with"):
        second.version(handle(second))
    assert digest not in second.hosted()


def test_displays_ask_in_silence(restart: Restart) -> None:
    closed(restart("somebody else"))
    second = restart()
    second.cell(flow(version="two"))
    notices: list[Any] = []
    second.session.engine.on_notice(notices.append)
    assert second.ask(handle(second).query("__temporal_workflow_metadata"))["definition"]["type"] == "Order"
    assert notices == []


def test_another_process_is_not_asked_where_the_stored_source_will_do(restart: Restart) -> None:
    closed(restart())
    second = restart()
    session = second.session
    row, ports = second.ask(session.ask("find_hosts", Target("default", "a")))
    assert ports == []
    assert second.ask(session.ask("serves", row.run_key))


async def test_a_few_versions_are_kept_and_the_others_are_made_again() -> None:
    made: list[str] = []
    dropped: list[str] = []

    def make(workflow_type: str, digest: str) -> Made:
        if digest == "bad":
            raise RestoreError("its source is not stored")
        made.append(digest)
        return Made(digest, lambda: dropped.append(digest))  # type: ignore[arg-type]

    past = PastCode(make)
    wanted = [str(number) for number in range(KEPT + 1)]
    for digest in (*wanted, wanted[-1]):
        assert await past.recall("Order", digest) == ""
    assert made == wanted
    assert dropped == ["0"]
    assert past.get("Order", "0") is None
    assert past.get("Order", "1") == "1"
    assert await past.recall("Order", "bad") == "its source is not stored"
    assert past.get("Order", "bad") is None
