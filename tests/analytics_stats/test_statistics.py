"""What statistics are for their users: filters, figures, text, the SQL behind, and words when something is wrong."""

from __future__ import annotations

import inspect
import json
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import durable_nb
from durable_nb.analytics import Explorer, open_explorer
from durable_nb.analytics import statistics as stats
from durable_nb.analytics.statistics import scope
from durable_nb.analytics.statistics.scope import Scope
from durable_nb.client import _frames
from durable_nb.client._stats import Stats
from durable_nb.errors import QueryError
from durable_nb.model.records import AttemptRow
from durable_nb.store import open_store
from tests.simulated import simulated
from tests.store import samples as s

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "critical_path": ("order-000011",),
    "critical_path_of_type": ("OrderWorkflow",),
    "compare_definitions": ("OrderWorkflow",),
    "cost": ({"train_epoch": 2.5},),
}
OPTIONS: dict[str, dict[str, Any]] = {"retry_storms": {"at_least": 3}}
"""So few runs have no storm of the usual strength."""

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = open_explorer(simulated(tmp_path_factory.mktemp("stats")))
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Any:
    url = f"sqlite:///{tmp_path}/empty.db"
    open_store(url).close()
    opened = open_explorer(url)
    yield opened
    opened.close()


def ask(explorer: Explorer, name: str, **options: Any) -> stats.Statistic:
    return stats.STATISTICS[name](explorer, *ARGUMENTS.get(name, ()), **{**OPTIONS.get(name, {}), **options})


# -- each of them --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", stats.STATISTICS)
def test_its_sql_gives_its_frame_again(explorer: Explorer, name: str) -> None:
    found = ask(explorer, name)
    again = explorer.frame(found.sql, found.params, limit=None)
    shared = [column for column in found.frame.columns if not column.startswith("failure_")]  # ties of mode()
    pd.testing.assert_frame_equal(found.frame[shared], again[shared])
    assert all(f"${key}" in found.sql for key in found.params)
    for key, value in found.params.items():
        assert f"-- ${key} = {value!r}" in found.show_sql()


@pytest.mark.slow
@pytest.mark.parametrize("name", stats.STATISTICS)
def test_it_shows_itself_as_figure_table_and_text(explorer: Explorer, name: str) -> None:
    found = ask(explorer, name)
    assert len(found.frame) > 0
    bundle = found._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.plotly.v1+json"}
    assert found.title in bundle["text/plain"]
    assert "<table" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert len(bundle["application/vnd.plotly.v1+json"]["data"]) > 0
    json.dumps(bundle)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in stats.STATISTICS if name not in {"critical_path", "compare_definitions"}]
)
def test_an_empty_store_gives_an_empty_answer_with_the_same_columns(
    explorer: Explorer, empty: Explorer, name: str
) -> None:
    found = ask(empty, name)
    assert list(found.frame.columns) == list(ask(explorer, name).frame.columns)
    if name != "cost":
        assert len(found.frame) == 0
    assert "nothing found" in repr(found)
    assert "application/vnd.plotly.v1+json" not in found._repr_mimebundle_()
    assert found.figure.layout.title.text


def test_every_statistic_is_documented_and_takes_the_store_first() -> None:
    for name, function in stats.STATISTICS.items():
        documentation = inspect.getdoc(function) or ""
        assert documentation.index("Returns") < documentation.index("Raises"), name
        assert next(iter(inspect.signature(function).parameters)) == "explorer"


# -- where to find them ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_client_and_the_package_offer_them(tmp_path: Path) -> None:
    client = durable_nb.connect(simulated(tmp_path))
    try:
        of_client = client.stats.success_rate(workflow_type="OrderWorkflow").frame
        assert of_client["workflow_type"].tolist() == ["OrderWorkflow"]
        pd.testing.assert_frame_equal(durable_nb.stats.success_rate(workflow_type="OrderWorkflow").frame, of_client)
    finally:
        client.engine.close()
    assert set(dir(durable_nb.stats)) == set(stats.STATISTICS)
    assert "explorer" not in inspect.signature(durable_nb.stats.latency).parameters
    with pytest.raises(AttributeError, match="did you mean 'success_rate'"):
        durable_nb.stats.sucess_rate()


@pytest.mark.slow
def test_a_statistic_tells_how_far_it_is_like_any_query(explorer: Explorer) -> None:
    events: list[str] = []

    def long_one(asked: Explorer) -> Any:
        return asked.frame("SELECT range AS i FROM range(1000000)", limit=None)

    _frames.set_progress(lambda: (events.append, lambda: events.append("closed")))
    try:
        found: Any = Stats(lambda: explorer, _frames._progress_shown)._bound(long_one)()
    finally:
        _frames.set_progress(None)
    assert len(found) == 1_000_000
    assert any(text.endswith(" rows") for text in events)
    assert events.index("closed") == len(events) - 1
    assert durable_nb.stats._shown is _frames._progress_shown


# -- filters -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_values_are_bound_and_never_pasted(explorer: Explorer) -> None:
    evil = "x' OR 1=1; DROP TABLE runs; --"
    for where in ({"workflow_id": evil}, {"memo.customer": evil}, {f'memo.a"{evil}': "b"}, {"status": [evil]}):
        found = stats.run_timeline(explorer, where=where)
        assert len(found.frame) == 0
        assert evil not in found.sql
    assert evil not in stats.latency(explorer, workflow_type=[evil]).sql


@pytest.mark.slow
def test_where_reaches_into_memos_lists_and_the_run_of_an_activity(explorer: Explorer) -> None:
    runs = explorer.frame("SELECT workflow_id, memo->>'$.customer' AS customer FROM runs WHERE memo IS NOT NULL")
    customer = runs["customer"].mode()[0]
    found = stats.run_timeline(explorer, where={"memo.customer": customer}, top=1000).frame
    assert set(found["workflow_id"]) == set(runs.loc[runs["customer"] == customer, "workflow_id"])
    open_runs = stats.run_timeline(explorer, where={"status": ["Running", "Failed"], "parent_run_id": None}).frame
    assert set(open_runs["status"]) == {"Running", "Failed"}
    both = stats.slowest_activities(explorer, where={"activity_type": "send_mail", "definition_digest": None}).frame
    assert len(both) == 0
    workers = stats.latency(explorer, of="attempts", where={"worker_identity": "payments@bank"}).frame
    assert set(workers["activity_type"]) == {"charge_card", "renew_subscription"}


MEMOS = ['"many"', "3", "2.5", "true", '"2026-11-05T12:00:00+00:00"', "12345678901234567890", "null"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "of"),
    [
        ("many", [1]), (3, [2]), (3.0, [2]), (2.5, [3]), ([2.5, 3], [2, 3]), (True, [4]), (NOON, [5]), ({"many"}, [1]),
        (12345678901234567890, [6]), (12345678901234567891, []), (np.int64(3), [2]), (["many", 3], [1, 2]), ([], []),
    ],
)  # fmt: skip
def test_where_finds_what_a_memo_holds_beside_values_of_other_kinds(tmp_path: Path, value: Any, of: list[int]) -> None:
    def memo(text: str) -> bytes:
        data = b64encode(text.encode()).decode()
        return f'{{"x":{{"metadata":{{"encoding":"anNvbi9wbGFpbg=="}},"data":"{data}"}}}}'.encode()

    with closing(open_store(f"sqlite:///{tmp_path}/memo.db")) as store:
        for key, text in enumerate(MEMOS, 1):
            store.commit([s.unit(s.insert(s.run_row(key, memo=memo(text)), events=[s.event_row(1)]))])
        with closing(open_explorer(store)) as opened:
            found = stats.run_timeline(opened, where={"memo.x": value}).frame
    assert sorted(found["workflow_id"]) == [f"w{key}" for key in of]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1h", NOON - timedelta(hours=1)),
        ("1.5 d", NOON - timedelta(days=1.5)),
        (timedelta(minutes=5), NOON - timedelta(minutes=5)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T03:00+02:00", datetime(2026, 11, 1, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_written_in_several_ways(text: Any, instant: datetime) -> None:
    assert scope.instant_of(text, NOON) == instant


@pytest.mark.parametrize("wrong", ["yesterday", "1 parsec", "-1h", timedelta(0)])
def test_what_is_no_instant_is_said(wrong: Any) -> None:
    with pytest.raises(QueryError, match="is n"):
        scope.instant_of(wrong, NOON)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("success_rate", {"by": "workflow_typ"}, "did you mean 'workflow_type'"),
        ("critical_path", {"run_id": "no-such-run"}, "has no run 'no-such-run'"),
        ("success_rate", {"by": "1; DROP TABLE runs"}, "has no column"),
        ("success_rate", {"where": "status = 'Failed'"}, "where is a dict"),
        ("success_rate", {"where": {"stat": "Failed"}}, "did you mean 'status'"),
        ("latency", {"of": "signals"}, "choose one of"),
        ("latency", {"quantiles": (50,)}, "from 0 to 1"),
        ("latency_distribution", {"of": "signals"}, "choose one of"),
        ("latency_distribution", {"per_decade": 0}, "from 1 to 50"),
        ("throughput", {"every": "0s"}, "no length of time"),
        ("throughput", {"every": "1s"}, "too many"),
        ("retry_storms", {"share": 3}, "from 0 to 1"),
        ("slowest_activities", {"by": "name"}, "choose one of"),
        ("cost", {"per": "day"}, "choose one of"),
        ("compare_definitions", {"before": "zzz"}, "no definitions"),
    ],
)
@pytest.mark.slow
def test_mistakes_are_explained(explorer: Explorer, name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(QueryError) as raised:
        ask(explorer, name, **options)
    assert says in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prices", "says"),
    [
        ([5], "not list"),
        ({}, "no price"),
        ({"send_mail": None}, "no price"),
        ({"a": "dear"}, "not a number"),
        ({("a", "b"): 1}, "does not say"),
        ("memory.rate", "did you mean 'memo'"),
        (pd.DataFrame({"x": [1]}), "nothing says what the prices are for"),
        (pd.DataFrame({"activity_type": ["a"], "eur": [1]}), "no column 'price'"),
        (pd.DataFrame({"activity_type": ["a", "a"], "price": [1, 2]}), "two prices for a"),
    ],
)
def test_prices_of_another_form_are_explained(explorer: Explorer, prices: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        stats.cost(explorer, prices)


@pytest.mark.slow
def test_a_price_in_a_memo_is_found_and_a_memo_without_one_has_none(tmp_path: Path) -> None:
    rate = b'{"rate":{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"Mi41"}}'  # 2.5
    attempt = AttemptRow(5, 1, "1", "train", 1, 1, 3_600_000_001, "completed")
    with closing(open_store(f"sqlite:///{tmp_path}/memo.db")) as store:
        for key, memo in ((1, rate), (2, None)):
            store.commit([s.unit(s.insert(s.run_row(key, memo=memo), events=[s.event_row(1)], attempts=[attempt]))])
        with closing(open_explorer(store)) as opened:
            frame = stats.cost(opened, "memo.rate", by=["workflow_id"]).frame
    assert frame["cost"].tolist()[0] == 2.5
    assert frame["price"].isna().tolist() == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["failing_activities", "retry_storms"])
def test_the_message_that_is_told_is_one_of_the_type_that_is_told(tmp_path: Path, name: str) -> None:
    # Most are declined, each in its own words; one other error says the same each time.
    errors = [("CardDeclined", f"card {n}") for n in range(3)] + [("ServiceBusy", "try again")] * 2
    failures = [f'{{"message":"{said}","applicationFailureInfo":{{"type":"{kind}"}}}}' for kind, said in errors]
    attempts = [
        AttemptRow(5, n, "1", "charge", 1, 1, 2, "failed", failure=failure.encode())
        for n, failure in enumerate(failures)
    ]
    with closing(open_store(f"sqlite:///{tmp_path}/errors.db")) as store:
        store.commit([s.unit(s.insert(s.run_row(1), events=[s.event_row(1)], attempts=attempts))])
        with closing(open_explorer(store)) as opened:
            [told] = stats.STATISTICS[name](opened, **OPTIONS.get(name, {})).frame.to_dict("records")
    assert told["failure_type"] == "CardDeclined"
    assert told["failure_message"].startswith("card ")


@pytest.mark.slow
def test_a_type_with_one_definition_has_nothing_to_compare(explorer: Explorer) -> None:
    with pytest.raises(QueryError, match="no two definitions of 'ImportFile'"):
        stats.compare_definitions(explorer, "ImportFile")


def test_the_words_of_a_scope_say_all_of_it() -> None:
    found = Scope.of(["A", "B"], {"status": "Failed"}, "2026-11-01", NOON)
    assert found.words == "A, B, status = Failed, since 2026-11-01 00:00, until 2026-11-05 12:00"


@pytest.mark.slow
def test_a_stretch_with_both_ends_has_each_bucket_once(explorer: Explorer) -> None:
    found = stats.throughput(explorer, since="2026-11-03", until="2026-11-05", every="1d").frame
    assert [f"{at:%m-%d}" for at in found["began_at"]] == ["11-03", "11-04"]
    whole = stats.throughput(explorer, every="1d").frame
    assert found["closed"].tolist() == whole["closed"].iloc[1:3].tolist()
    assert found["backlog"].tolist() == whole["backlog"].iloc[1:3].tolist()
