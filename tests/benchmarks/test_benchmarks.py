"""The benchmarks count, compare and print right; how fast anything is, is not tested here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import middle, options
from benchmarks.catalog import TARGETS, Check, Metric, Sizes, Target
from benchmarks.limits import measure_limits
from benchmarks.measure import Stopwatch, quantile
from benchmarks.system import Ledger
from benchmarks.table import checks_table, metrics_table, number, ratio

ROOT = Path(__file__).resolve().parent.parent.parent


def metric(value: float, unit: str = "s", cpu_us: float | None = None) -> Metric:
    return Metric("W3", "500 parallel activities", value, unit, cpu_us)


@pytest.mark.parametrize(
    ("value", "text"), [(12_345, "12,300"), (1_234_567, "1,230,000"), (0.04512, "0.0451"), (999.4, "999"), (None, "")]
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_ratio_above_one_means_better_whichever_way_the_metric_points() -> None:
    assert ratio(metric(200, "steps/s"), metric(100, "steps/s")) == 2
    assert ratio(metric(2, "s"), metric(1, "s")) == 0.5
    assert ratio(metric(2, "s"), None) is None


def test_targets_are_marked_by_the_bound_they_reach() -> None:
    assert [Target(2, 1).mark(value) for value in (0.9, 1.5, 2.1)] == ["goal", "pass", "MISS"]
    assert [Target(10, 20, higher=True).mark(value) for value in (21, 11, 9)] == ["goal", "pass", "MISS"]


def test_every_target_belongs_to_a_metric_of_the_full_size() -> None:
    sizes = Sizes()
    assert ("W3", f"{sizes.width} parallel activities") in TARGETS
    assert ("W6", f"start {sizes.sleepers:,} sleepers") in TARGETS


def test_the_table_shows_both_systems_and_the_ratio() -> None:
    drawn = metrics_table([metric(0.1, cpu_us=50)], TARGETS, [metric(1.0)], "dbos")
    assert "dbos" in drawn.splitlines()[0]
    assert drawn.splitlines()[2].split()[-6:] == ["pass", "1", "10.0", "15.8", "38.0", "MISS"]


def test_beside_another_system_targets_are_judged_by_how_many_times_better() -> None:
    higher, lower = Target(20, 60, higher=True, dbos=10), Target(2, 1, dbos=8)
    assert [higher.mark_times(times) for times in (1.9, 2, 6)] == ["MISS", "pass", "goal"]
    assert [lower.mark_times(times) for times in (3.9, 4, 8)] == ["MISS", "pass", "goal"]
    assert Target(2, 1).mark_times(100) == ""


def test_a_broken_check_stands_out() -> None:
    assert checks_table([Check("W5", "nothing twice", holds=False, seen="1 twice")]).startswith("BROKEN")


def test_the_median_round_counts() -> None:
    assert middle([metric(3.0, cpu_us=1), metric(1.0, cpu_us=5), metric(2.0, cpu_us=3)]) == metric(2.0, cpu_us=3)


def test_quantiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50, 99, 7)


def test_the_stopwatch_counts_the_cpu_of_children() -> None:
    with Stopwatch() as watch:
        subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert watch.cpu > 0.02
    assert watch.wall > 0


def test_the_ledger_keeps_every_execution_in_order(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.txt")
    Ledger.note("chain-1", 0)
    Ledger.note("chain-1", 0)
    assert Ledger.read(tmp_path / "ledger.txt") == [("chain-1", 0), ("chain-1", 0)]


def test_limits_are_rates(tmp_path: Path) -> None:
    limits = measure_limits(tmp_path, 0.005)
    assert len(limits) == 4
    assert all(limit.value > 0 and limit.unit.endswith("/s") for limit in limits)


def test_workloads_are_chosen_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert options(["--only", "w1, BIG"]).only == ["W1", "big"]
    with pytest.raises(SystemExit):
        options(["--only", "W99"])
    assert "unknown workload w99" in capsys.readouterr().err


def test_monotonic_time_is_one_clock_for_parent_and_child() -> None:
    before = time.monotonic()
    seen = subprocess.run(
        [sys.executable, "-c", "import time; print(time.monotonic())"], capture_output=True, text=True, check=True
    )
    assert before < float(seen.stdout) < time.monotonic()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_run_succeeds_and_is_written_down(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "W1,W3,W5,W8,timeline", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(out.read_text())
    assert {row["workload"] for row in written["systems"]["durable_nb"]["metrics"]} == {"W1", "W3", "W5", "W8", "W9"}
    assert all(check["holds"] for check in written["systems"]["durable_nb"]["checks"])
    assert len(written["limits"]) == 4
