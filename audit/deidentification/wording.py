"""A report and a plan in words, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from rich.cells import cell_len

from audit.deidentification.plan import Plan
from audit.deidentification.report import Report
from classifier.metric import Metric

_WIDTH = 80
_NAMES = {
    "classes": "classes",
    "smallest_class": "rows of the smallest class (k)",
    "average_class": "rows of a class on average",
    "unique_rows": "share of rows that are unique",
    "rows_below_k": "share of rows in classes below k",
    "largest_risk": "largest risk (prosecutor)",
    "mean_risk": "mean risk (prosecutor)",
    "fewest_persons": "fewest persons in a class",
    "distinct_values": "fewest values in a class",
    "effective_values": "fewest effective values (entropy)",
    "distance": "largest distance (t)",
    "rows_suppressed": "share of rows left out",
    "cells_suppressed": "share of quasi-identifying cells hidden",
    "ncp_loss": "normalised certainty penalty",
    "precision_loss": "precision lost (1 - Prec)",
    "entropy_loss": "entropy lost",
    "discernibility": "discernibility",
    "normalised_class": "average class in multiples of k",
}


def report_text(report: Report) -> str:
    """The report as lines of at most 80 characters."""
    lines = [f"{report.rows_released:,} of {report.rows_read:,} rows released"]
    lines += _listed(report.required)
    width = min(30, max((cell_len(column.name) for column in report.columns), default=0))
    lines += ["", "columns"]
    for column in report.columns:
        done = column.action if column.level is None else f"{column.step} (level {column.level} of {column.levels})"
        role = f", {column.role}" if column.role != "other" else ""
        padded = column.name + " " * (width - cell_len(column.name))
        lines += wrap(f"{padded}  {done}{role}", _WIDTH, initial_indent="  ", subsequent_indent=" " * (width + 4))
    if report.after:
        lines += ["", f"{'quasi-identifiers and what they share':44}{'before':>12}{'after':>12}"]
        after = {(metric.name, str(dict(metric.where))): metric for metric in report.after}
        for metric in report.before:
            lines += _row(metric, [metric, after.get((metric.name, str(dict(metric.where))))])
    lines += ["", "loss"]
    for metric in report.loss:
        lines += _row(metric, [metric])
    if report.nodes:
        lines.append(f"  {report.judged:,} of {report.nodes:,} combinations of levels were looked at; no other loses less")
    lines.append("")
    for limit in (*report.notes, *report.limits):
        lines += wrap(limit, _WIDTH, initial_indent="! ", subsequent_indent="  ")
    return "\n".join(lines)


def plan_text(plan: Plan) -> str:
    """What a plan does with each column, and why."""
    lines = []
    for name, column in plan.columns.items():
        role = f", {column.role}" if column.role != "other" else ""
        lines.append(f"{name}: {column.action}{role}")
        lines += wrap(column.reason, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _listed(sentences: Sequence[str]) -> list[str]:
    return [line for sentence in sentences for line in wrap(sentence, _WIDTH, initial_indent="  required: ", subsequent_indent="    ")]


def _row(metric: Metric, values: Sequence[Metric | None]) -> list[str]:
    name = _NAMES[metric.name.removeprefix("deidentification.")]
    numbers = "".join(f"{'-' if value is None or value.value is None else f'{value.value:,.4g}':>12}" for value in values)
    column = metric.where.get("column")
    first = metric.name.endswith(("distinct_values", "fewest_persons"))
    head = [f"  of {column}:"] if column is not None and first else []
    return [*head, f"  {'  ' if column is not None else ''}{name}".ljust(44) + numbers]
