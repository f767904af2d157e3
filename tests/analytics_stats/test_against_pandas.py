"""Every statistic says the same as a second computation in pandas, from the raw rows of ten thousand runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from durable_nb.analytics import statistics as stats
from tests.analytics_stats.conftest import Shop
from tests.analytics_stats.raw import E, Raw

pytestmark = pytest.mark.slow

FROM, UNTIL = "2026-11-05 06:30", "2026-11-12"
FROM_US, UNTIL_US = (int(pd.Timestamp(each, tz="UTC").value // 1000) for each in (FROM, UNTIL))


def same(found: pd.DataFrame, expected: pd.DataFrame, key: list[str]) -> None:
    """Equal after sorting by ``key``: the columns of ``expected``, numbers to nine digits."""
    assert len(expected) > 0
    left = found.sort_values(key).reset_index(drop=True)[list(expected.columns)]
    right = expected.sort_values(key).reset_index(drop=True)
    pd.testing.assert_frame_equal(left, right, check_dtype=False, check_index_type=False, rtol=1e-9, atol=1e-9)


def us(column: pd.Series) -> pd.Series:
    """Instants as microseconds."""
    return column.astype("datetime64[us, UTC]").astype("int64")


# -- rates ---------------------------------------------------------------------------------------------------------


def rates(runs: pd.DataFrame, by: str) -> pd.DataFrame:
    def of(group: pd.DataFrame) -> pd.Series:
        status = group["status"]
        counts = {
            "runs": len(group),
            "running": (status == "Running").sum(),
            "completed": (status == "Completed").sum(),
            "failed": ((status == "Failed") & ~group["goes_on"]).sum(),
            "timed_out": ((status == "TimedOut") & ~group["goes_on"]).sum(),
            "terminated": (status == "Terminated").sum(),
            "canceled": (status == "Canceled").sum(),
            "continued": ((status == "ContinuedAsNew") | status.isin(["Failed", "TimedOut"]) & group["goes_on"]).sum(),
        }
        n = counts["completed"] + counts["failed"] + counts["timed_out"] + counts["terminated"]
        rate = counts["completed"] / n if n else float("nan")
        half = 1.96 * (rate * (1 - rate) / n + 1.96**2 / 4 / n**2) ** 0.5 if n else float("nan")
        middle, size = (rate + 1.96**2 / 2 / n, 1 + 1.96**2 / n) if n else (float("nan"), 1.0)
        return pd.Series(
            {**counts, "success_rate": rate, "low_rate": (middle - half) / size, "high_rate": (middle + half) / size}
        )

    return runs.groupby(by, as_index=False)[["status", "goes_on"]].apply(of)


def test_success_rate(shop: Shop) -> None:
    same(stats.success_rate(shop.explorer).frame, rates(shop.raw.runs, "workflow_type"), ["workflow_type"])
    runs = shop.raw.runs[(shop.raw.runs["start"] >= FROM_US) & (shop.raw.runs["start"] < UNTIL_US)]
    found = stats.success_rate(shop.explorer, by="task_queue", since=FROM, until=UNTIL).frame
    same(found, rates(runs, "task_queue"), ["task_queue"])
    orders = shop.raw.runs[shop.raw.runs["workflow_type"] == "OrderWorkflow"]
    days = orders.assign(day=pd.to_datetime(orders["start"], unit="us", utc=True).dt.floor("D"))
    found = stats.success_rate(shop.explorer, by="day", workflow_type="OrderWorkflow").frame
    same(found.assign(day=us(found["day"])), rates(days, "day").assign(day=lambda f: us(f["day"])), ["day"])


@pytest.mark.parametrize("since", [None, FROM])
@pytest.mark.parametrize("of", ["runs", "activities"])
def test_throughput_and_backlog(shop: Shop, of: Any, since: str | None) -> None:
    raw = shop.raw
    if of == "runs":
        flow = pd.DataFrame({"began": raw.runs["start"], "ended": raw.runs["close"], "status": raw.runs["status"]})
    else:
        acts = raw.activities
        # What was never closed ended with its run.
        flow = pd.DataFrame(
            {"began": acts["scheduled"], "ended": acts["closed"].fillna(acts["close"]), "status": acts["status"]}
        )
    step = 6 * 3_600_000_000
    found = stats.throughput(shop.explorer, of=of, every="6h", since=since).frame
    begins = us(found["began_at"])
    expected = []
    for begin in begins:
        ended = flow["ended"].between(begin, begin + step - 1)
        expected.append(
            {
                "began_at": begin,
                "started": flow["began"].between(begin, begin + step - 1).sum(),
                "closed": ended.sum(),
                "completed": (ended & (flow["status"] == "Completed")).sum(),
                "failed": (ended & flow["status"].isin(["Failed", "TimedOut", "Terminated"])).sum(),
                "backlog": (flow["began"] < begin + step).sum() - (flow["ended"] < begin + step).sum(),
            }
        )
    same(found.assign(began_at=begins), pd.DataFrame(expected), ["began_at"])
    assert begins.diff().dropna().eq(step).all()
    assert begins.iloc[0] <= (FROM_US if since else flow["began"].min()) < begins.iloc[0] + step
    if since is None:
        assert found["started"].sum() == len(flow)
        assert found["closed"].sum() == flow["ended"].notna().sum()


# -- latency -------------------------------------------------------------------------------------------------------


def quantiles(long: pd.DataFrame, group: str) -> pd.DataFrame:
    """Of a frame with the columns ``group``, part, us."""
    rows = []
    for (kind, part), values in long.dropna(subset=["us"]).groupby([group, "part"])["us"]:
        seconds = values.astype("float64") / 1e6
        rows.append(
            {
                group: kind,
                "part": part,
                "n": len(seconds),
                "mean_s": seconds.mean(),
                "p50_s": seconds.quantile(0.5),
                "p90_s": seconds.quantile(0.9),
                "p99_s": seconds.quantile(0.99),
                "max_s": seconds.max(),
            }
        )
    return pd.DataFrame(rows)


def parts_of(frame: pd.DataFrame, group: str, **columns: str) -> pd.DataFrame:
    names = {"backoff": "back-off"}
    return pd.concat(
        [
            pd.DataFrame({group: frame[group], "part": names.get(part, part), "us": frame[column]})
            for part, column in columns.items()
        ]
    )


def test_latency_of_activities_and_attempts(shop: Shop) -> None:
    closed = shop.raw.activities[shop.raw.activities["closed"].notna()]
    long = parts_of(
        closed.assign(backoff=closed["backoff"].fillna(0)),
        "activity_type",
        queue="queue",
        run="run",
        backoff="backoff",
        total="total",
    )
    same(stats.latency(shop.explorer).frame, quantiles(long, "activity_type"), ["activity_type", "part"])
    attempts = shop.raw.attempts[shop.raw.attempts["scheduled_at"] >= FROM_US]
    long = parts_of(attempts, "activity_type", queue="queue", run="run", backoff="backoff")
    found = stats.latency(shop.explorer, of="attempts", since=FROM).frame
    same(found, quantiles(long, "activity_type"), ["activity_type", "part"])


def test_latency_of_runs_and_workflow_tasks(shop: Shop) -> None:
    runs = shop.raw.runs[shop.raw.runs["close"].notna()]
    long = parts_of(runs.assign(total=runs["close"] - runs["begin"]), "workflow_type", total="total")
    same(stats.latency(shop.explorer, of="runs").frame, quantiles(long, "workflow_type"), ["workflow_type", "part"])
    same(
        stats.latency(shop.explorer, of="workflow_tasks").frame,
        quantiles(parts_of(workflow_tasks(shop.raw), "workflow_type", queue="queue", run="run"), "workflow_type"),
        ["workflow_type", "part"],
    )


@pytest.mark.parametrize("per_decade", [1, 5])
def test_latency_distribution(shop: Shop, per_decade: int) -> None:
    closed = shop.raw.activities[shop.raw.activities["closed"].notna()]
    filled = closed.assign(backoff=closed["backoff"].fillna(0))
    long = parts_of(filled, "activity_type", queue="queue", run="run", backoff="backoff", total="total")
    long = long.dropna(subset=["us"]).astype({"us": "float64"})
    # Edges from the numbers of the bins, and bins from the edges: not by the formula of the SQL.
    edges = np.concatenate([[-1.0, 0.5], 10 ** (np.arange(0, 14 * per_decade + 1) / per_decade)])
    bins = pd.cut(long["us"], edges, right=False, labels=False)
    counted = long.assign(bin=bins).groupby(["activity_type", "part", "bin"]).size().rename("n").reset_index()
    lows = np.where(counted["bin"] == 0, 0.0, edges[counted["bin"]]) / 1e6
    highs = np.where(counted["bin"] == 0, 1.0, edges[counted["bin"] + 1]) / 1e6
    totals = counted.groupby(["activity_type", "part"])["n"].transform("sum")
    expected = counted.assign(from_s=lows, to_s=highs, share=counted["n"] / totals).drop(columns="bin")
    found = stats.latency_distribution(shop.explorer, per_decade=per_decade).frame
    same(found, expected, ["activity_type", "part", "from_s"])
    assert found["n"].sum() == len(long)


def test_retry_distribution(shop: Shop) -> None:
    tries = shop.raw.attempts.groupby(["run_key", "scheduled_event_id"])["attempt"].max().rename("attempts")
    closed = shop.raw.activities[shop.raw.activities["closed"].notna()]
    acts = closed.merge(tries, how="left", left_on=["run_key", "scheduled_event_id"], right_index=True)
    acts = acts.fillna({"attempts": 0})
    grouped = acts.groupby(["activity_type", "attempts"])["status"]
    expected = pd.DataFrame(
        {
            "activities": grouped.size(),
            "completed": grouped.agg(lambda status: (status == "Completed").sum()),
            "gave_up": grouped.agg(lambda status: status.isin(["Failed", "TimedOut"]).sum()),
        }
    ).reset_index()
    expected["share"] = expected["activities"] / expected.groupby("activity_type")["activities"].transform("sum")
    same(stats.retry_distribution(shop.explorer).frame, expected, ["activity_type", "attempts"])


def workflow_tasks(raw: Raw) -> pd.DataFrame:
    kinds = dict(zip(raw.runs["run_key"], raw.runs["workflow_type"], strict=True))
    ends = {E.WORKFLOW_TASK_COMPLETED, E.WORKFLOW_TASK_FAILED, E.WORKFLOW_TASK_TIMED_OUT}
    rows = []
    for run_key, history in raw.histories.items():
        by_id = {event.event_id: event for event in history}
        for event in history:
            if event.kind in ends:
                scheduled = by_id[event.attributes["scheduledEventId"]]
                started = by_id[event.attributes["startedEventId"]]
                rows.append((kinds[run_key], started.time - scheduled.time, event.time - started.time))
    return pd.DataFrame(rows, columns=["workflow_type", "queue", "run"])


# -- retries -------------------------------------------------------------------------------------------------------


def assert_most_common(told: Any, failed: pd.DataFrame) -> None:
    """The type that most of them have, and the message that most of those have."""
    assert told["failure_type"] in set(failed["failure_type"].mode())
    assert told["failure_message"] in set(
        failed[failed["failure_type"] == told["failure_type"]]["failure_message"].mode()
    )


def test_retry_storms(shop: Shop) -> None:
    window, least, share = 1_200_000_000, 5, 0.25
    attempts = shop.raw.attempts
    found = stats.retry_storms(shop.explorer, window="20m", at_least=least, share=share).frame
    rows = []
    for kind, of_kind in attempts.assign(at=attempts["ended_at"] // window * window).groupby("activity_type"):
        counts = of_kind.groupby("at")["bad"].agg(["size", "sum"])
        bad = [at for at, n, failures in counts.itertuples() if failures >= least and failures >= share * n]
        storms: list[list[int]] = []
        for at in bad:
            if storms and storms[-1][-1] + window == at:
                storms[-1].append(at)
            else:
                storms.append([at])
        for storm in storms:
            begin, end = storm[0], storm[-1] + window
            inside = of_kind[of_kind["ended_at"].between(begin, end - 1)]
            failed = inside[inside["bad"]]
            rows.append(
                {
                    "activity_type": kind,
                    "began_at": begin,
                    "ended_at": end,
                    "attempts": len(inside),
                    "failures": len(failed),
                    "failure_rate": len(failed) / len(inside),
                    "worst_failures_per_minute": max(counts.loc[at, "sum"] for at in storm) / (window / 6e7),
                    "runs": failed["run_key"].nunique(),
                    "lost_s": (failed["run"].sum() + failed["backoff"].sum()) / 1e6,
                }
            )
            told = found[(found["activity_type"] == kind) & (us(found["began_at"]) == begin)].iloc[0]
            assert_most_common(told, failed)
    found = found.assign(began_at=us(found["began_at"]), ended_at=us(found["ended_at"]))
    same(found, pd.DataFrame(rows), ["activity_type", "began_at"])
    assert found["failures"].is_monotonic_decreasing
    assert (found["ended_at"] - found["began_at"]).max() > window, "no storm of several windows: the test says little"


def test_time_lost_to_retries(shop: Shop) -> None:
    rows = []
    for kind, of_kind in shop.raw.attempts.groupby("activity_type"):
        bad = of_kind[of_kind["bad"]]
        again = of_kind[of_kind["attempt"] > 1]
        lost = bad["run"].sum() + of_kind["backoff"].sum() + again["queue"].sum()
        rows.append(
            {
                "activity_type": kind,
                "activities": len(of_kind.groupby(["run_key", "scheduled_event_id"])),
                "with_failures": len(bad.groupby(["run_key", "scheduled_event_id"])),
                "failed_attempts": len(bad),
                "runs": bad["run_key"].nunique(),
                "failed_run_s": bad["run"].sum() / 1e6,
                "backoff_s": of_kind["backoff"].sum() / 1e6,
                "requeue_s": again["queue"].sum() / 1e6,
                "lost_s": lost / 1e6,
                "lost_share": lost / of_kind[["run", "queue", "backoff"]].sum().sum(),
            }
        )
    found = stats.time_lost_to_retries(shop.explorer).frame
    same(found, pd.DataFrame(rows), ["activity_type"])
    assert found["lost_s"].is_monotonic_decreasing


# -- activities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["total", "run", "queue", "backoff"])
def test_slowest_activities(shop: Shop, by: Any) -> None:
    closed = shop.raw.activities[shop.raw.activities["closed"].notna()]
    rows = []
    for kind, of_kind in closed.groupby("activity_type"):
        seconds = of_kind[by].astype("float64") / 1e6
        rows.append(
            {
                "activity_type": kind,
                "n": len(of_kind),
                "mean_s": seconds.mean(),
                "p95_s": seconds.quantile(0.95),
                "max_s": seconds.max(),
                "sum_s": seconds.sum(min_count=1),
            }
        )
    expected = pd.DataFrame(rows)
    expected["share"] = expected["sum_s"] / expected["sum_s"].sum()
    found = stats.slowest_activities(shop.explorer, by=by, top=100).frame
    same(found, expected, ["activity_type"])
    assert found["p95_s"].dropna().is_monotonic_decreasing
    for row in found[found["max_s"] > 0].to_dict("records"):
        of_run = closed[(closed["run_id"] == row["slowest_run_id"]) & (closed["activity_type"] == row["activity_type"])]
        assert of_run[by].max() / 1e6 == pytest.approx(row["max_s"])
        assert set(of_run["workflow_id"]) == {row["slowest_workflow_id"]}


def test_failing_activities(shop: Shop) -> None:
    rows = []
    for kind, of_kind in shop.raw.attempts.groupby("activity_type"):
        acts = shop.raw.activities[shop.raw.activities["activity_type"] == kind]
        bad = of_kind[of_kind["bad"]]
        if len(bad):
            rows.append(
                {
                    "activity_type": kind,
                    "activities": len(acts),
                    "gave_up": acts["status"].isin(["Failed", "TimedOut"]).sum(),
                    "attempts": len(of_kind),
                    "failed_attempts": len(bad),
                    "failure_rate": len(bad) / len(of_kind),
                    "timed_out": (bad["outcome"] == "timed_out").sum(),
                    "lost": (bad["outcome"] == "lost").sum(),
                    "runs": bad["run_key"].nunique(),
                    "last_failure_at": bad["ended_at"].max(),
                }
            )
    found = stats.failing_activities(shop.explorer).frame
    same(found.assign(last_failure_at=us(found["last_failure_at"])), pd.DataFrame(rows), ["activity_type"])
    for row in found.to_dict("records"):
        assert_most_common(row, shop.raw.attempts.query("bad and activity_type == @row['activity_type']"))


def costs(attempts: pd.DataFrame, per: str, by: list[str]) -> pd.DataFrame:
    """Of attempts with a column ``price``."""
    units = attempts["run"].fillna(0) / 3.6e9 if per == "hour" else 1.0
    priced = attempts.assign(units=units, cost=units * attempts["price"])
    rows = []
    for key, of_key in priced.groupby(by):
        known = of_key["price"].notna().any()
        prices = of_key["price"].dropna().unique()
        mean = of_key["cost"].sum() / of_key.loc[of_key["price"].notna(), "units"].sum() if known else None
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                "price": prices[0] if len(prices) == 1 else mean,
                "attempts": len(of_key),
                "runs": of_key["run_key"].nunique(),
                "units": of_key["units"].sum(),
                "cost": of_key["cost"].sum() if known else None,
                "cost_of_failures": of_key.loc[of_key["bad"], "cost"].sum() if known else None,
                "cost_per_run": of_key["cost"].sum() / of_key["run_key"].nunique() if known else None,
            }
        )
    expected = pd.DataFrame(rows)
    expected["share"] = expected["cost"] / expected["cost"].sum()
    return expected


@pytest.mark.parametrize("per", ["hour", "attempt"])
def test_cost(shop: Shop, per: Any) -> None:
    prices = {"train_epoch": 2.5, "charge_card": 0.03}
    attempts = shop.raw.attempts
    expected = costs(attempts.assign(price=attempts["activity_type"].map(prices)), per, ["activity_type"])
    for given in (
        prices,
        pd.Series(prices),
        pd.DataFrame({"activity_type": list(prices), "price": list(prices.values())}),
    ):
        same(stats.cost(shop.explorer, given, per=per).frame, expected, ["activity_type"])
    everything = costs(attempts.assign(price=0.5), per, ["activity_type"])
    same(stats.cost(shop.explorer, 0.5, per=per).frame, everything, ["activity_type"])


def test_cost_by_a_price_column_and_what_the_other_columns_say_it_is_for(shop: Shop) -> None:
    attempts = shop.raw.attempts.merge(
        shop.raw.activities[["run_key", "scheduled_event_id", "task_queue"]], on=["run_key", "scheduled_event_id"]
    )
    by = ["task_queue", "activity_type"]
    machines = attempts[by].drop_duplicates().sort_values(by).reset_index(drop=True)
    machines["eur"] = [round(0.1 * number, 1) for number in range(1, len(machines) + 1)]
    machines["owner"] = "somebody"
    expected = costs(attempts.merge(machines, on=by).rename(columns={"eur": "price"}), "hour", by)
    found = stats.cost(shop.explorer, machines, price="eur")
    same(found.frame, expected, by)
    assert found.title == "Cost by task queue and activity type"
    assert set(found.figure.data[0].y) <= {f"{queue} / {kind}" for queue, kind in machines[by].itertuples(index=False)}


def test_cost_at_a_price_that_is_stored_with_the_runs(shop: Shop) -> None:
    attempts = shop.raw.attempts.merge(shop.raw.runs[["run_key", "length"]], on="run_key")
    expected = costs(attempts.assign(price=attempts["length"]), "hour", ["workflow_type"])
    found = stats.cost(shop.explorer, "history_length", by="workflow_type")
    same(found.frame, expected, ["workflow_type"])


# -- two definitions -----------------------------------------------------------------------------------------------


def test_two_definitions(shop: Shop) -> None:
    digests = shop.raw.sources.query("name == 'OrderWorkflow'")["digest"].tolist()
    assert len(digests) == 2
    measured: dict[tuple[str, str], list[Any]] = {}
    for place, digest in enumerate(digests):
        runs = shop.raw.runs[shop.raw.runs["definition"] == digest]
        attempts = shop.raw.attempts[shop.raw.attempts["definition"] == digest]
        bad = attempts[attempts["bad"]]
        decided = runs["status"].isin(["Completed", "Terminated"]) | (
            runs["status"].isin(["Failed", "TimedOut"]) & ~runs["goes_on"]
        )
        duration = (runs["close"] - runs["begin"]).astype("float64") / 1e6
        n = len(runs)
        values = {
            ("run", "runs"): n,
            ("run", "success rate"): (runs["status"] == "Completed").sum() / decided.sum(),
            ("run", "duration p50, s"): duration.quantile(0.5),
            ("run", "duration p90, s"): duration.quantile(0.9),
            ("run", "events per run"): runs["length"].mean(),
            ("run", "activities per run"): (attempts["attempt"] == 1).sum() / n,
            ("run", "failed attempts per run"): len(bad) / n,
            ("run", "lost to retries per run, s"): (bad["run"].sum() + attempts["backoff"].sum()) / n / 1e6,
        }
        for kind, of_kind in attempts.groupby("activity_type"):
            values |= {
                (str(kind), "per run"): (of_kind["attempt"] == 1).sum() / n,
                (str(kind), "failure rate"): of_kind["bad"].mean(),
                (str(kind), "queue p90, s"): of_kind["queue"].quantile(0.9) / 1e6,
                (str(kind), "run p50, s"): of_kind["run"].quantile(0.5) / 1e6,
                (str(kind), "back-off per run, s"): of_kind["backoff"].sum() / n / 1e6,
            }
        for key, value in values.items():
            measured.setdefault(key, [None, None])[place] = value
    rows = [{"subject": s, "metric": m, "before": b, "after": a} for (s, m), (b, a) in measured.items()]
    expected = pd.DataFrame(rows).astype({"before": "float64", "after": "float64"})
    expected["change"] = expected["after"] - expected["before"]
    expected["ratio"] = expected["after"] / expected["before"].where(expected["before"] != 0)
    found = stats.compare_definitions(shop.explorer, "OrderWorkflow")
    same(found.frame, expected, ["subject", "metric"])
    assert "+            check_fraud," in found.diff
    assert "-        order.amount *= 1 - DISCOUNTS[order.coupon]" in found.diff


def test_run_timeline(shop: Shop) -> None:
    runs = shop.raw.runs.sort_values(["start", "run_key"], ascending=False).head(50)
    attempts = shop.raw.attempts.groupby("run_key")["bad"].agg(["sum"])
    found = stats.run_timeline(shop.explorer, top=50).frame
    assert found["run_id"].tolist() == runs["run_id"].tolist()
    assert us(found["began_at"]).tolist() == runs["start"].tolist()
    assert found["status"].tolist() == runs["status"].tolist()
    expected = [int(attempts["sum"].get(key, 0)) for key in runs["run_key"]]
    assert found["failed_attempts"].tolist() == expected
