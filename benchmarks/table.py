"""The printed table. Takes finished numbers; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.catalog import Check, Metric, Target
from benchmarks.limits import Limit


def number(value: float | None) -> str:
    """Three significant digits, thousands separated: ``12,300``, ``1.23``, ``0.0451``."""
    if value is None:
        return ""
    if value >= 1000:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}"
    return f"{value:.3g}"


def render(rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Columns as wide as their widest cell; the first row is the head; columns in ``right`` are right-aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(rows[0]), "  ".join("-" * width for width in widths), *map(line, rows[1:])])


def ratio(ours: Metric, other: Metric | None) -> float | None:
    """How many times better ours is; below 1 it is worse. None where there is nothing to compare."""
    if other is None or not ours.value or not other.value:
        return None
    return ours.value / other.value if ours.higher_is_better else other.value / ours.value


Targets = Mapping[tuple[str, str], Target]


def metrics_table(ours: Sequence[Metric], targets: Targets, others: Sequence[Metric], other_name: str | None) -> str:
    """One row for each metric of durable_nb, with its targets, and with the other system's value where there is one."""
    by_name = {(metric.workload, metric.name): metric for metric in others}
    head = ["", "metric", "value", "unit", "CPU us/unit", "unit of work", "at least", "goal", "reached"]
    if other_name:
        head += [other_name, "CPU us/unit", "times better", "at least", "goal", "by ratio"]
    rows = [head]
    for metric in ours:
        target = targets.get((metric.workload, metric.name))
        row = [metric.workload, metric.name, number(metric.value), metric.unit, number(metric.cpu_us), metric.per]
        row += [number(target.at_least), number(target.goal), target.mark(metric.value)] if target else ["", "", ""]
        if other_name:
            other = by_name.get((metric.workload, metric.name))
            row += [number(other.value), number(other.cpu_us)] if other else ["", ""]
            times = ratio(metric, other)
            row.append("" if times is None else f"{times:.1f}")
            row += _times_bounds(target, times)
        rows.append(row)
    return render(rows, frozenset({2, 4, 6, 7, 9, 10, 11, 12, 13}))


def _times_bounds(target: Target | None, times: float | None) -> list[str]:
    """How many times better it must be, and whether it is."""
    if target is None or target.dbos is None or times is None:
        return ["", "", ""]
    bounds = [target.times(bound) for bound in (target.at_least, target.goal)]
    return [*("" if bound is None else f"{bound:.1f}" for bound in bounds), target.mark_times(times)]


def checks_table(checks: Sequence[Check]) -> str:
    """One line for each thing that must hold."""
    return "\n".join(
        f"{'holds ' if check.holds else 'BROKEN'}  {check.workload}  {check.claim}: {check.seen}" for check in checks
    )


def limits_table(limits: Sequence[Limit]) -> str:
    """This machine's own limits."""
    rows = [["limit of this machine", "value", "unit"]]
    rows += [[limit.name, number(limit.value), limit.unit] for limit in limits]
    return render(rows, frozenset({1}))
