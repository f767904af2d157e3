"""Each command of ``%workflow`` on a real engine in a shell: options, slips, completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from durable_nb.errors import NotebookError, StoreUrlError
from durable_nb.notebook import extension

CELL = """\
%%workflow
from dataclasses import dataclass

@dataclass
class Receipt:
    total: int

@workflow.defn
class Order:
    def __init__(self) -> None:
        self.approved, self.items = False, []

    @workflow.run
    async def run(self, total: int) -> Receipt:
        await workflow.wait_condition(lambda: self.approved)
        return Receipt(total)

    @workflow.signal
    def approve(self, by: str = "") -> None:
        self.approved = True

    @workflow.query
    def status(self) -> str:
        return "approved" if self.approved else "waits"

    @workflow.query
    def broken(self) -> str:
        raise RuntimeError("no idea")

    @workflow.update
    def add(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)
"""


@pytest.fixture
def magic(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Runs a line of ``%workflow``; the notebook has the cell above."""
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    monkeypatch.chdir(tmp_path)
    extension.load_ipython_extension(shell)
    shell.run_cell(CELL).raise_error()
    engines = [shell.durable_nb.engine]

    def run(line: str) -> Any:
        value = shell.run_line_magic("workflow", line)
        if shell.durable_nb.engine not in engines:
            engines.append(shell.durable_nb.engine)
        return value

    yield run
    extension.unload_ipython_extension(shell)
    for engine in engines:
        engine.close()


def refusal(magic: Callable[[str], Any], line: str) -> str:
    with pytest.raises(NotebookError) as caught:
        magic(line)
    return str(caught.value)


def test_a_start_takes_what_a_client_takes(magic: Callable[[str], Any], shell: Any) -> None:
    shell.user_ns["owner"] = "ann"
    magic(
        "start Order --id o-1 --input 7 --memo owner={owner} --memo n=3 --search-attribute team='\"blue\"' "
        "--search-attribute tags='[\"a\", \"b\"]' --run-timeout 1h30m --max-attempts 3 --summary 'an order'"
    )
    session = shell.durable_nb
    handle = session.client.get_workflow_handle("o-1")
    found = session.run(handle.describe())
    assert session.run(found.memo()) == {"owner": "ann", "n": 3}
    assert {pair.key.name: pair.value for pair in found.typed_search_attributes} == {"team": "blue", "tags": ["a", "b"]}
    assert session.run(found.static_summary()) == "an order"
    started = session.run(handle.fetch_history()).events[0].attributes
    assert started.workflow_run_timeout == 5_400_000_000
    assert started.retry_policy.maximum_attempts == 3


def test_signal_with_start_and_wait_give_the_typed_result(magic: Callable[[str], Any], shell: Any) -> None:
    result = magic("start Order --id o-1 --input 7 --start-signal approve --signal-input '\"ann\"' --wait")
    assert result == shell.user_ns["Receipt"](7)
    assert magic("result o-1") == result
    assert "--start-signal NAME" in refusal(magic, "start Order --input 1 --signal-input 1")


def test_id_policies_are_written_in_any_spelling(magic: Callable[[str], Any]) -> None:
    first = magic("start Order --id o-1 --input 7")
    assert "--id-conflict-policy UseExisting" in refusal(magic, "start Order --id o-1 --input 7")
    again = magic("start Order --id o-1 --input 7 --id-conflict-policy use-existing")
    assert again.result_run_id == first.result_run_id
    other = magic("start Order --id o-1 --input 7 --id-conflict-policy TERMINATE_EXISTING")
    assert other.result_run_id != first.result_run_id
    said = refusal(magic, "start Order --id o-1 --input 7 --id-reuse-policy never")
    assert "AllowDuplicate, AllowDuplicateFailedOnly, RejectDuplicate" in said


def test_lists_filter_by_status_type_and_time(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    magic("start Order --id o-2 --input 1 --start-signal approve --wait")

    def ids(options: str) -> list[str]:
        return [run.id for run in magic(f"list {options}").value]

    assert ids("--status running") == ["o-1"]
    assert ids("--status running --status COMPLETED") == ["o-2", "o-1"]
    assert ids("--since 1h --type Order") == ["o-2", "o-1"]
    assert ids("--until 1h") == []
    assert ids("--since 2020-01-01 --limit 1") == ["o-2"]
    assert ids("--query \"WorkflowId = 'o-1'\" --status Running") == ["o-1"]
    assert "2" in repr(magic("list --count"))
    assert "did you mean 'Running'?" in refusal(magic, "list --status runing")
    assert "did you mean '--status'?" in refusal(magic, "list --statsu Running")
    assert "write 2h, 3d, yesterday" in refusal(magic, "list --since lunch")


def test_the_settings_say_how_many_rows_are_shown(magic: Callable[[str], Any], shell: Any) -> None:
    for number in range(3):
        magic(f"start Order --id o-{number} --input 1")
    shell.run_line_magic("config", "DurableNB.max_rows = 2")
    assert len(magic("list").value) == 2
    shell.run_line_magic("config", "DurableNB.max_events = 2")
    assert "2 events in the middle are left out" in repr(magic("history o-0"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("signal o-1 aprove", "there is no signal 'aprove' in 'o-1': did you mean 'approve'?"),
        ("query o-1 statsu", "there is no query 'statsu' in 'o-1': did you mean 'status'?"),
        ("query o-1 zzz", "there is no query 'zzz' in 'o-1'"),
        ("update o-1 ad", "there is no update 'ad' in 'o-1': did you mean 'add'?"),
        ("show o-11", "there is no workflow 'o-11': did you mean 'o-1'?"),
        ("result o-1 --timeout 50ms", "is not closed after 0.05 s; it goes on"),
    ],
)
def test_a_slip_in_a_name_is_answered_with_the_names_that_exist(
    magic: Callable[[str], Any], line: str, said: str
) -> None:
    magic("start Order --id o-1 --input 1")
    text = refusal(magic, line)
    assert said in text
    assert "fix" in text


def test_a_signal_without_a_handler_is_sent_and_said_to_wait(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    assert "no handler of that name now" in repr(magic("signal o-1 something_else"))
    assert "no handler" not in repr(magic("signal o-1 aprove --anyway"))
    history = magic("history o-1").value
    names = [getattr(event.attributes, "signal_name", "") for event in history]
    assert names.count("something_else") == names.count("aprove") == 1


def test_a_query_that_raises_says_so_and_not_that_it_is_unknown(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    assert magic("query o-1 status") == "waits"
    assert "wait_condition" in magic("query o-1 __stack_trace")
    with pytest.raises(Exception, match="no idea"):
        magic("query o-1 broken")


def test_an_update_with_an_id_is_done_once(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    assert magic("update o-1 add --input '\"a\"' --update-id u1") == 1
    assert magic("update o-1 add --input '\"a\"' --update-id u1") == 1
    assert magic("update o-1 add --input '\"a\"'") == 2


def test_deleting_shows_first_spares_what_runs_and_needs_a_word(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    magic("start Order --id o-2 --input 1 --start-signal approve --wait")
    assert "nothing says what to delete" in refusal(magic, "delete")
    assert "give one of them" in refusal(magic, "delete o-1 --type Order")
    shown = repr(magic("delete --type Order"))
    assert "o-2" in shown
    assert "1 would be deleted for good" in shown
    assert "1 run stays, still running: terminate it first" in shown
    assert len(magic("list").value) == 2, "nothing was deleted yet"
    assert [run.id for run in magic("delete --type Order --yes").value] == ["o-2"]
    assert [run.id for run in magic("list").value] == ["o-1"]
    assert "o-1 stays, still running: terminate it first" in repr(magic("delete o-1 --yes"))
    magic("terminate o-1")
    magic("delete o-1 --yes")
    assert magic("list").value == []


def test_connect_tells_the_store_and_goes_over_to_another(magic: Callable[[str], Any], shell: Any, capsys: Any) -> None:
    magic("start Order --id o-1 --input 1")
    here = magic("connect")
    assert "test.db" in repr(here)
    assert "1 Running" in repr(here)
    session, client = shell.durable_nb, shell.user_ns["client"]
    for url in ("other.db", "sqlite:////no/such/folder/x.db", "nosuch://x"):
        with pytest.raises(StoreUrlError):
            magic(f"connect {url}")
    assert shell.durable_nb is session, "a store that cannot be opened changes nothing"
    capsys.readouterr()
    assert magic("connect sqlite:///other.db") is None
    assert "other.db" in capsys.readouterr().out
    assert magic("list").value == []
    assert shell.user_ns["client"] is not client
    assert magic("start Order --id o-9 --input 2 --start-signal approve --wait").total == 2
    magic(f"connect {session.engine.url}")
    assert [run.id for run in magic("list").value] == ["o-1"]


def test_a_run_started_by_an_older_store_goes_on_after_coming_back(magic: Callable[[str], Any], shell: Any) -> None:
    magic("start Order --id o-1 --input 5")
    url = shell.durable_nb.engine.url
    magic("connect sqlite:///other.db")
    magic(f"connect {url}")
    magic("signal o-1 approve")
    assert magic("result o-1").total == 5


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("%workflow signal o-1 ", {"approve"}, {"status", "add"}),
        ("%workflow query o-1 ", {"status", "broken", "__stack_trace"}, {"approve"}),
        ("%workflow update o-1 ", {"add"}, {"approve"}),
        ("%workflow update o-1 add --", {"--input", "--update-id"}, {"--type"}),
        ("%workflow start ", {"Order"}, {"o-1"}),
        ("%workflow start Order --start-signal ", {"approve"}, {"status"}),
        ("%workflow start Order --id-reuse-policy Rej", {"RejectDuplicate"}, {"AllowDuplicate"}),
        ("%workflow list --status ", {"Running", "TimedOut"}, {"o-1"}),
        ("%workflow list --type ", {"Order"}, {"o-1"}),
        ("%workflow delete ", {"o-1"}, {"Order"}),
        ("%workflow signal --anyway o-1 ", {"approve"}, {"status"}),
        ("%workflow signal nope ", set(), {"approve"}),
        ("%workflow list --", {"--status", "--limit"}, {"--abs", "abs"}),
        ("%workflow ", {"list", "connect"}, {"and", "%alias"}),
        ("%%workflow --on-edit ", {"continue", "pin", "fail"}, {"and"}),
    ],
)
def test_completion_knows_ids_types_names_and_values(
    magic: Callable[[str], Any], shell: Any, line: str, some: set[str], none: set[str]
) -> None:
    magic("start Order --id o-1 --input 1")
    with provisionalcompleter():
        offered = {found.text for found in shell.Completer.completions(line, len(line))}
    assert some <= offered
    assert not none & offered


def test_a_branch_without_its_point_says_which_options_there_are(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    said = refusal(magic, "fork o-1")
    assert "nothing says where to fork" in said
    assert "--event-id N, --activity ID" in said
    for line in ("reset o-1", "reset o-1 --first-task --last-task"):
        said = refusal(magic, line)
        assert "exactly one option says where to reset to" in said
        assert "--event-id, --activity, --first-task" in said


def test_what_is_not_there_is_refused_with_the_way_to_what_is(magic: Callable[[str], Any]) -> None:
    magic("start Order --id o-1 --input 1")
    for line in ("cancel zzz", "compare o-1 zzz"):
        said = refusal(magic, line)
        assert "workflow execution not found: 'zzz'" in said
        assert "fix    %workflow list shows the runs" in said
    said = refusal(magic, "restore Nope")
    assert "'Nope' is no workflow type whose source is stored, and no run has this ID" in said
    assert "did you mean 'o-1'?" in refusal(magic, "restore o_1")


def test_numbers_and_times_may_be_variables(magic: Callable[[str], Any], shell: Any) -> None:
    shell.user_ns |= {"n": 1, "since": "1h", "word": "x"}
    magic("start Order --id o-1 --input {n}")
    magic("start Order --id o-2 --input {n}")
    assert len(magic("list --limit {n} --since {since}").value) == 1
    said = refusal(magic, "list --limit {word}")
    assert "it is a whole number from 1, and not 'x'" in said
    assert "\x00" not in said


def test_an_assignment_is_completed_like_a_line(magic: Callable[[str], Any], shell: Any) -> None:
    magic("start Order --id o-1 --input 1")
    for line, expected in (("run = %workflow sh", "show"), ("run = %workflow show o-", "o-1")):
        with provisionalcompleter():
            assert expected in {found.text for found in shell.Completer.completions(line, len(line))}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("start Order --id o-2", "Order takes (total: int), but no arguments were given"),
        ("start Order --id o-2 -i 1 -i 2", "Order takes (total: int), but 2 arguments were given"),
        ("start Order --id o-2 -i '\"x\"'", "but total cannot be 'x': expected int, got str 'x'"),
        ("signal o-1 approve -i 1 -i 2", "signal approve takes (by: str = ''), but 2 arguments were given"),
        ("signal o-1 approve -i 7", "but by cannot be 7"),
        ("query o-1 status -i 1", "query status takes (), but 1 argument was given"),
        ("update o-1 add", "update add takes (item: str), but no arguments were given"),
    ],
)
def test_arguments_are_looked_at_before_they_are_sent(magic: Callable[[str], Any], line: str, said: str) -> None:
    magic("start Order --id o-1 --input 1")
    assert said in refusal(magic, line)
    assert [run.id for run in magic("list").value] == ["o-1"], "nothing was started"
    assert len(magic("history o-1").value) <= 4, "nothing was sent"


def test_objects_of_variables_are_sent_as_they_are(magic: Callable[[str], Any], shell: Any) -> None:
    shell.user_ns["total"] = type("Seven", (int,), {})(7)
    magic("start Order --id o-1 --input {total} --start-signal approve")
    assert magic("result o-1").total == 7
