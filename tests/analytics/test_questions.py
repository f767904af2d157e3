"""What may be asked and what is refused; how values come back; what happens when it takes long or many ask at once."""

from __future__ import annotations

import math
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from durable_nb.analytics import Explorer, decode, open_explorer
from durable_nb.errors import (
    PayloadDecodeError,
    QueryError,
    QueryParameterError,
    QueryRefusedError,
    StoreUrlError,
    StoreVersionError,
)
from durable_nb.model.attributes import WorkflowExecutionCompleted, WorkflowExecutionFailed, WorkflowExecutionStarted
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from tests.store import samples as s


@pytest.fixture
def explorer(sqlite: Any) -> Iterator[Explorer]:
    made = open_explorer(sqlite)
    yield made
    made.close()


def json_payload(data: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


# -- what is refused -----------------------------------------------------------------------------------------------

REFUSED = {
    "DROP VIEW runs": "changes tables",
    "CREATE TABLE mine (a INT)": "changes tables",
    "CREATE TEMP TABLE mine (a INT)": "changes tables",
    "INSERT INTO mirror.main.runs VALUES (1)": "changes tables",
    "DELETE FROM mirror.main.events": "changes tables",
    "UPDATE mirror.main.runs SET status = 2": "changes tables",
    "WITH gone AS (DELETE FROM mirror.main.events RETURNING *) SELECT * FROM gone": "changes tables",
    "EXPLAIN ANALYZE DELETE FROM mirror.main.events": "changes tables",
    "SELECT * FROM read_csv('/etc/passwd')": "outside the store",
    "SELECT * FROM read_text('/etc/hostname')": "outside the store",
    "SELECT * FROM glob('/*')": "outside the store",
    "COPY (SELECT 1) TO '/tmp/durable_nb_never.csv'": "a file",
    "EXPORT DATABASE '/tmp/durable_nb_never'": "writes files",
    "ATTACH '/tmp/durable_nb_never.db' AS other": "attaches",
    "ATTACH ':memory:' AS other": "attaches",
    "DETACH mirror": "detaches",
    "INSTALL httpfs": "extension",
    "LOAD httpfs": "extension",
    "SET threads = 99": "changes a setting",
    "SET enable_external_access = true": "changes a setting",
    "USE mirror": "changes a setting",
    "PRAGMA enable_profiling": "PRAGMA",
    "CALL pragma_version()": "procedure",
    "BEGIN": "transaction",
    "PREPARE q AS SELECT 1": "prepares",
    "SELECT 1; SELECT 2": "2 statements",
    "UPDATE EXTENSIONS": "may only ask",
    "SELECT * FROM sqlite_scan('durable.db', 'runs')": "extension 'sqlite_scanner'",
    "FROM 'prices.xlsx'": "extension 'excel'",
    "SELECT * FROM st_read('map.shp')": "extension 'spatial'",
}


@pytest.mark.parametrize("query", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_question_is_refused_with_the_reason_and_changes_nothing(
    sqlite: Any, explorer: Explorer, query: str
) -> None:
    sqlite.commit([s.unit(s.insert(s.run_row(1, next_event_id=2), events=[s.event_row(1)]))])
    before = explorer.frame("SELECT * FROM events")
    with pytest.raises(QueryRefusedError, match=REFUSED[query]) as raised:
        explorer.frame(query)
    assert raised.value.code == "DNB801"
    assert raised.value.fix
    pd.testing.assert_frame_equal(explorer.frame("SELECT * FROM events"), before)
    assert not list(Path("/tmp").glob("durable_nb_never*"))


def test_no_file_is_read_even_by_the_connection_that_explore_gives(explorer: Explorer, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    connection = explorer.cursor()
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        connection.execute(f"SELECT * FROM '{tmp_path}/secret.csv'")
    with pytest.raises(duckdb.Error, match="locked"):
        connection.execute("SET enable_external_access = true")


def test_the_connection_that_explore_gives_may_have_tables_of_its_own(explorer: Explorer) -> None:
    connection = explorer.cursor()
    connection.execute("CREATE TEMP TABLE mine AS SELECT count(*) AS n FROM runs")
    connection.execute("CREATE MACRO half(x) AS x / 2")
    assert connection.execute("SELECT half(n) FROM mine").fetchall() == [(0.0,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a",
        "FROM runs",
        "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
        "DESCRIBE runs",
        "SHOW TABLES",
        "SUMMARIZE SELECT 1 AS a",
        "EXPLAIN SELECT * FROM runs",
        "VALUES (1)",
        "PIVOT (SELECT 'x' AS k, 1 AS v) ON k USING sum(v)",
    ],
)
def test_every_kind_of_question_is_answered(explorer: Explorer, query: str) -> None:
    assert explorer.frame(query) is not None


def test_mistakes_are_explained(explorer: Explorer) -> None:
    with pytest.raises(QueryError, match='Did you mean "runs"') as raised:
        explorer.frame("SELECT * FROM rnus")
    assert "describe()" in raised.value.fix
    with pytest.raises(QueryError, match="syntax error"):
        explorer.frame("SELEKT 1")
    with pytest.raises(QueryError, match="there is no query"):
        explorer.frame("  -- nothing\n")
    with pytest.raises(QueryError, match="Could not convert"):
        explorer.frame("SELECT CAST('x' AS INT)")


@pytest.mark.parametrize("query", [None, b"SELECT 1", "SELECT '\ud800'"])
def test_what_is_no_text_is_no_query(explorer: Explorer, query: Any) -> None:
    with pytest.raises(QueryError, match="this is no text"):
        explorer.frame(query)


def test_a_limit_below_nothing_is_a_mistake(explorer: Explorer) -> None:
    with pytest.raises(ValueError, match="limit must be a number of rows"):
        explorer.frame("SELECT 1", limit=-1)


def test_who_names_a_frame_of_a_notebook_is_told_how_to_pass_it(explorer: Explorer) -> None:
    prices = pd.DataFrame({"k": [1]})
    with pytest.raises(QueryError, match="prices does not exist") as raised:
        explorer.frame("SELECT * FROM prices")
    assert "tables=" in raised.value.fix
    assert "{frame}" in raised.value.fix
    assert len(explorer.frame("SELECT * FROM prices", tables={"prices": prices})) == 1


@pytest.mark.parametrize("value", [5, None, [1, 2], {"a": [1]}, pd.DataFrame(index=[1])], ids=repr)
def test_what_can_be_no_table_is_said(explorer: Explorer, value: Any) -> None:
    with pytest.raises(QueryParameterError, match=r"'prices' .* cannot stand for a table") as raised:
        explorer.frame("SELECT * FROM prices", tables={"prices": value})
    assert "DataFrame" in raised.value.fix


# -- parameters ----------------------------------------------------------------------------------------------------


def test_parameters_are_bound_by_name_and_by_place(explorer: Explorer) -> None:
    evil = "'; DROP VIEW runs; --"
    assert explorer.frame("SELECT $a AS a", {"a": evil}).a[0] == evil
    assert explorer.frame("SELECT ? + ? AS a", [1, 2]).a[0] == 3
    assert explorer.frame("SELECT 2 IN $keys AS a", {"keys": {1, 2}}).a[0]
    assert explorer.frame("SELECT 2 IN $keys AS a", {"keys": {1: 0, 2: 0}.keys()}).a[0]
    assert explorer.frame("SELECT 2 IN $keys AS a", {"keys": {1: 0, 3: 2}.values()}).a[0]
    assert explorer.frame("SELECT $n AS n", {"n": np.int64(7)}).n[0] == 7
    assert explorer.frame("SELECT 7 IN $n AS n", {"n": pd.Series([6, 7])}).n[0]


def test_a_missing_or_impossible_parameter_is_said(explorer: Explorer) -> None:
    with pytest.raises(QueryParameterError, match="Expected 0, got 1"):
        explorer.frame("SELECT 1", {"other": 1})
    with pytest.raises(QueryParameterError, match="'object'"):
        explorer.frame("SELECT $name", {"name": object()})
    with pytest.raises(QueryParameterError, match="Mixing"):
        explorer.frame("SELECT ?, $name", [1])
    with pytest.raises(QueryParameterError, match="other"):
        explorer.frame("SELECT $name", {"other": 1})
    with pytest.raises(QueryParameterError, match="name"):
        explorer.frame("SELECT $name")
    with pytest.raises(QueryParameterError, match="dict for"):
        explorer.frame("SELECT $name", "value")
    with pytest.raises(QueryParameterError, match="too large"):
        explorer.frame("SELECT $n", {"n": 10**40})


# -- values --------------------------------------------------------------------------------------------------------

ODD = """
SELECT CASE WHEN i > 3000 THEN i END AS late, CASE WHEN i < 3000 THEN i = 1 END AS truth, 'NaN'::DOUBLE AS nan,
    9223372036854775807 AS big, 170141183460469231731687303715884105727::HUGEINT AS huge, sum(i) OVER () AS total,
    make_timestamptz(CASE WHEN i < 3000 THEN -6857222400000000 ELSE 32503680000000000 END) AS at
FROM range(5000) AS t(i) ORDER BY i
"""


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_values_of_every_size_come_back_exactly_and_nulls_stay_null(explorer: Explorer, as_: str) -> None:
    frame = explorer.frame(ODD, as_=as_)  # type: ignore[arg-type]
    rows = frame.to_pandas() if as_ == "arrow" else frame.to_pandas() if as_ == "polars" else frame
    assert len(rows) == 5000
    assert rows.late.isna().sum() == 3001
    assert int(rows.late.iloc[-1]) == 4999
    assert rows.truth.isna().sum() == 2000
    assert math.isnan(rows.nan.iloc[0])
    assert int(rows.big.iloc[0]) == 9223372036854775807
    assert int(rows.total.iloc[0]) == 12_497_500
    assert rows["at"].iloc[0] == datetime(1752, 9, 14, tzinfo=UTC)
    assert str(rows["at"].iloc[-1]).startswith("3000-01-01")


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_columns_of_one_name_are_told_apart_in_every_kind_of_frame(explorer: Explorer, as_: str) -> None:
    frame = explorer.frame("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a", as_=as_)  # type: ignore[arg-type]
    names = frame.column_names if as_ == "arrow" else list(frame.columns)
    assert names == ["a", "a_1", "a_1_1", "a_2"]


def test_integers_with_nulls_and_sums_stay_integers_in_pandas(explorer: Explorer) -> None:
    frame = explorer.frame(ODD)
    assert [str(frame[name].dtype) for name in ("late", "truth", "big", "total")] == [
        "Int64",
        "boolean",
        "int64",
        "int64",
    ]
    assert str(frame["at"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_an_empty_answer_has_its_columns(explorer: Explorer, as_: str) -> None:
    frame = explorer.frame("SELECT run_key, workflow_id, start_time FROM runs", as_=as_)  # type: ignore[arg-type]
    names = frame.column_names if as_ == "arrow" else list(frame.columns)
    assert names == ["run_key", "workflow_id", "start_time"]
    assert frame.shape == (0, 3)


def test_numbers_beyond_128_bits_and_nan_stay_in_the_json_of_a_payload(sqlite: Any, explorer: Explorer) -> None:
    text = b'{"huge":1234567890123456789012345678901234567890123,"text":"\\u0000"}'
    done = WorkflowExecutionCompleted(result=[json_payload(text)])
    sqlite.commit([s.unit(s.insert(s.run_row(1, status=s.COMPLETED, next_event_id=2), events=[s.event_row(1, done)]))])
    [value] = explorer.frame("SELECT result FROM runs").result
    assert '"huge":1234567890123456789012345678901234567890123' in value


def test_instants_far_from_now_are_instants(sqlite: Any, explorer: Explorer) -> None:
    instants = {1: -6857222400000000, 2: 32503680000000000, 3: 2**63 - 1, 4: 0}
    writes = [s.insert(s.run_row(key, start_time=at, execution_time=at)) for key, at in instants.items()]
    sqlite.commit([s.unit(write) for write in writes])
    with sqlite3.connect(sqlite.path) as connection:
        for key, at in instants.items():
            connection.execute(
                "INSERT INTO events (run_key, event_id, event_type, event_time, attributes) VALUES (?, 1, 1, ?, '{}')",
                (key, at),
            )
    connection.close()
    found = explorer.frame("SELECT start_time FROM runs ORDER BY run_key").start_time
    assert [None if pd.isna(value) else value.year for value in found] == [1752, 3000, None, None]


# -- payloads and rows that cannot be read -------------------------------------------------------------------------


def test_a_payload_that_does_not_decode_keeps_its_row_and_says_why(sqlite: Any, explorer: Explorer) -> None:
    odd = [
        json_payload(b'{"a": 1}'),
        json_payload(b"{not json"),
        json_payload(b"\xff\xfe"),
        Payload(metadata={"encoding": b"binary/encrypted"}, data=b"?"),
        Payload(metadata={"encoding": b"binary/null"}),
        Payload(metadata={"encoding": b"\xff"}, data=b"?"),
        Payload(),
    ]
    for key, payload in enumerate(odd, 1):
        done = WorkflowExecutionCompleted(result=[payload])
        run = s.run_row(key, status=s.COMPLETED, next_event_id=2)
        sqlite.commit([s.unit(s.insert(run, events=[s.event_row(1, done)]))])
    frame = explorer.frame("SELECT result, result_error, result_payload FROM runs ORDER BY run_key")
    assert [None if pd.isna(value) else value for value in frame.result] == [
        '{"a": 1}', None, None, None, "null", None, None,
    ]  # fmt: skip
    reasons = [None if pd.isna(value) else str(value) for value in frame.result_error]
    assert reasons[0] is None
    assert reasons[1] == "the payload says json/plain and is not JSON"
    assert reasons[2] == reasons[1]
    assert reasons[3] == "encoding binary/encrypted: decode() reads it"
    assert reasons[4] is None
    assert "cannot be read" in str(reasons[5])
    assert reasons[6] is not None
    decoded = decode(frame.result_payload)
    assert decoded[0] == {"a": 1}
    assert [isinstance(value, PayloadDecodeError) for value in decoded] == [False, True, True, True, False, True, True]
    with pytest.raises(PayloadDecodeError):
        decode(frame.result_payload[1])


def test_a_list_a_map_and_nothing_decode_in_their_shape(sqlite: Any, explorer: Explorer) -> None:
    begun = WorkflowExecutionStarted(input=[json_payload(b"1"), json_payload(b'"x"')])
    memo = b'{"who":{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"Im1lIg=="},"it\\"s":{}}'
    sqlite.commit([s.unit(s.insert(s.run_row(1, next_event_id=2, memo=memo), events=[s.event_row(1, begun)]))])
    frame = explorer.frame("SELECT input, input_payloads, memo FROM runs")
    assert frame.input[0] == '[1,"x"]'
    assert decode(frame.input_payloads[0]) == [1, "x"]
    assert frame.memo[0] == '{"who":"me","it\\"s":null}'
    assert decode(None) is None
    assert decode('{"who":{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"Im1lIg=="}}') == {"who": "me"}
    with pytest.raises(PayloadDecodeError, match="not a stored payload"):
        decode("[[1]]")


def test_one_damaged_row_does_not_end_the_questions_about_the_others(sqlite: Any, explorer: Explorer) -> None:
    sqlite.commit([s.unit(s.insert(s.run_row(1, next_event_id=3), events=[s.event_row(1), s.event_row(2)]))])
    with sqlite3.connect(sqlite.path) as connection:
        connection.execute("UPDATE events SET attributes = '{broken' WHERE event_id = 1")
        connection.execute("UPDATE events SET user_metadata = 'broken too' WHERE event_id = 2")
        connection.execute("UPDATE runs SET memo = '[', transient = X'FF00'")
        connection.execute("UPDATE runs SET workflow_id = CAST(X'77FF31' AS TEXT)")
    connection.close()
    frame = explorer.frame("SELECT event_id, attributes, error, summary FROM events ORDER BY event_id")
    assert frame.attributes[0] == "{}"
    assert frame.error[0] == "not JSON: {broken"
    assert pd.isna(frame.error[1])
    assert explorer.frame("SELECT memo FROM runs").memo.isna().all()
    assert len(explorer.frame("SELECT * FROM timers")) == 2
    assert explorer.frame("SELECT workflow_id FROM runs").workflow_id[0] == "w\ufffd1"


def test_a_failure_is_told_by_its_innermost_cause(sqlite: Any, explorer: Explorer) -> None:
    root = Failure(message="declined", application_failure_info=ApplicationFailureInfo(type="CardError"))
    failure = Failure(message="activity error", cause=root)
    for _ in range(4):
        failure = Failure(message="outer", cause=failure)
    run = s.run_row(1, status=3, next_event_id=2)
    sqlite.commit([s.unit(s.insert(run, events=[s.event_row(1, WorkflowExecutionFailed(failure=failure))]))])
    row = explorer.frame("SELECT * FROM runs").iloc[0]
    assert (row.status, row.failure_message) == ("Failed", "outer")
    assert (row.root_failure_type, row.root_failure_message) == ("CardError", "declined")


# -- stores that cannot be read ------------------------------------------------------------------------------------


def test_a_store_of_a_newer_version_is_left_alone(sqlite: Any, explorer: Explorer) -> None:
    with sqlite3.connect(sqlite.path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999, 0)")
    connection.close()
    with pytest.raises(StoreVersionError, match="schema 999"):
        explorer.frame("SELECT * FROM runs")
    explorer.close()
    with pytest.raises(StoreVersionError, match="upgrade durable_nb"):
        open_explorer(sqlite.url)


def test_what_is_no_store_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUrlError, match="there is no store yet"):
        open_explorer(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreUrlError, match="holds no store yet"):
        open_explorer(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(StoreUrlError, match="cannot be read by URL"):
        open_explorer("memory://")


def test_a_file_that_is_refused_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.db").touch()
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    with pytest.raises(StoreUrlError):
        open_explorer(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


# -- many, big -----------------------------------------------------------------------------------------------------


def test_ten_threads_may_ask_at_once_while_the_store_changes(sqlite: Any, explorer: Explorer) -> None:
    def add(key: int) -> None:
        run = s.run_row(key, next_event_id=3)
        sqlite.commit([s.unit(s.insert(run, events=[s.event_row(1), s.event_row(2)]))])

    def question(key: int) -> bool:
        add(key)
        found = explorer.frame(
            "SELECT count(*) AS runs, (SELECT count(*) FROM events) AS events, "
            "count(*) FILTER (run_key = $key) AS mine FROM runs",
            {"key": key},
        )
        return bool(found.events[0] == 2 * found.runs[0] and found.mine[0] == 1)

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(question, range(1, 41)))
    assert explorer.frame("SELECT count(*) AS n FROM runs").n[0] == 40


def test_an_answer_as_long_as_the_limit_is_not_called_cut(explorer: Explorer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(explorer.frame("SELECT * FROM range(5)", limit=5)) == 5
        assert len(explorer.frame("SELECT * FROM range(0)", limit=0)) == 0


def test_the_last_of_these_is_used(explorer: Explorer) -> None:
    """A frame of the caller may stand where a table stands, and is gone afterwards."""
    prices: Callable[[], pd.DataFrame] = lambda: pd.DataFrame({"k": ["a", "b"], "v": [1.5, 2.5]})  # noqa: E731
    assert explorer.frame("SELECT sum(v) AS v FROM prices", tables={"prices": prices()}).v[0] == 4.0
    with pytest.raises(QueryError, match="prices does not exist"):
        explorer.frame("SELECT * FROM prices")
