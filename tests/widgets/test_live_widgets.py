"""The widgets of live displays: what is sent, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from durable_nb.widgets.comms import hear_while_busy
from durable_nb.widgets.run_view import WIDGET_MIME, LiveWidget, RunsView, RunView


@pytest.fixture
def heard() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def view(heard: list[Mapping[str, Any]]) -> RunView:
    return RunView(heard.append, "live display of 'order-1'")


def test_only_what_changed_is_sent(view: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(LiveWidget, "send_state", lambda self, key=(): sent.append(set(key)))
    assert view.show({"run": {"status": "running"}, "position": [], "output": []}) == ["run"]
    assert sent == [{"run"}]
    assert view.show({"run": {"status": "running"}, "position": []}) == []
    assert sent == [{"run"}]
    assert view.show({"run": {"status": "completed"}, "position": [{"line": 3}]}) == ["run", "position"]
    assert sent[1:] == [{"run", "position"}]  # in one message


def test_the_last_replies_are_kept(view: RunView) -> None:
    for number in range(30):
        view.reply(f"r{number}", {"ok": True, "text": ""})
    assert list(view.replies) == [f"r{number}" for number in range(10, 30)]


def test_messages_reach_the_listener_whatever_they_are(view: RunView, heard: list[Mapping[str, Any]]) -> None:
    for content in ({"kind": "seen"}, "nonsense", None, 7):
        view._handle_custom_msg(content, [])
    assert heard == [{"kind": "seen"}, {}, {}, {}]


@pytest.mark.parametrize("kind", [RunView, RunsView])
def test_a_view_shows_itself_as_a_widget_and_as_text(kind: type[LiveWidget]) -> None:
    made = kind(lambda message: None, "a text")
    data, metadata = made._repr_mimebundle_()
    assert data == {
        "text/plain": "a text",
        WIDGET_MIME: {"version_major": 2, "version_minor": 1, "model_id": made.model_id},
    }
    assert metadata == {}
    assert "export default" in str(kind._esm)


def test_a_closed_view_is_known_as_closed(view: RunView) -> None:
    assert view.is_open
    view.close()
    assert not view.is_open


def test_other_kernels_have_no_subshells_and_nothing_is_done_to_them() -> None:
    class Comm:
        pass

    class Widget:
        comm: Any = Comm()

    hear_while_busy(Widget())
    assert vars(Widget.comm) == {}
    Widget.comm = None
    hear_while_busy(Widget())


def test_where_the_kernel_sends_messages_back_to_the_main_thread_it_does_not_any_more() -> None:
    class Comm:
        def _reply_subshell_for(self) -> None: ...

    class Widget:
        comm = Comm()

    hear_while_busy(Widget())
    assert Widget.comm._reply_subshell_for is None
