"""Numbers of a report as tables: each with its interval, its n, and what kind of bound it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from audit.evidence import Evidence
from audit.policy import Finding
from audit.report.contents import Contents
from audit.report.document import Cell, Grid, Head
from audit.report.parts.shortening import brief
from audit.report.parts.tables import row_name
from classifier.metric import Metric


def measures(contents: Contents, title: str, by_name: Mapping[str, Sequence[Metric]]) -> Grid:
    """Every number with what it means, for whoever looks it up.

    Args:
        contents: What is shown.
        title: What heads the table.
        by_name: The numbers by the name of their metric.
    """
    say, wording = contents.catalogue, contents.wording
    heads = (Head(say("column.metric")), *_heads(contents, [metric for metrics in by_name.values() for metric in metrics]))
    rows: list[tuple[Cell, ...]] = []
    for name, metrics in by_name.items():
        meaning = wording.sentences(say(f"metric.{name}.meaning"), wording.caution(name))
        remarks = _remarks(contents, metrics)
        for index, (metric, remark) in enumerate(zip(metrics, remarks, strict=True)):
            rows.append((Cell(wording.title(name), small=meaning) if index == 0 else Cell(""), *_cells(contents, metric)))
            rows += [(Cell(remark),)] if remark else []
    return Grid(title, heads, tuple(rows))


def key_numbers(contents: Contents, title: str, by_name: Mapping[str, Sequence[Metric]], *, more: int = 0) -> Grid:
    """Some numbers in short, each beside what a rule says of it.

    Args:
        contents: What is shown.
        title: What heads the table.
        by_name: The numbers by the name of their metric, all with a value.
        more: How many others a rule was judged on.
    """
    say, wording = contents.catalogue, contents.wording
    shown = [metric for metrics in by_name.values() for metric in metrics]
    heads = (Head(say("column.metric")), *_heads(contents, shown), Head(say("column.judged")))
    rows: list[tuple[Cell, ...]] = []
    for name, metrics in by_name.items():
        for index, metric in enumerate(metrics):
            finding = contents.judging(metric)
            title_cell = Cell(wording.title(name) if index == 0 else "")
            where, *numbers = _cells(contents, metric, finding.limit if finding else None)
            rows.append((title_cell, replace(where, text=brief(where.text)), *numbers, _judged(contents, finding)))
            rows += [(Cell(say("number.unreliable", {"why": wording.told(metric.unreliable)})),)] if metric.unreliable else []
    rows += [(Cell(say("body.more_judged", {"more": more})),)] if more else []
    return Grid(title, heads, tuple(rows))


def by_group(contents: Contents, attribute: str, groups: Mapping[str, Mapping[str, Metric]], *, short: bool = False) -> Grid:
    """The numbers of the groups of one attribute, side by side.

    Args:
        contents: What is shown.
        attribute: The attribute.
        groups: The numbers by group, and by the name of their metric.
        short: Whether there is room for short names only.
    """
    say, wording = contents.catalogue, contents.wording
    names = list(dict.fromkeys(name for metrics in groups.values() for name in metrics))
    heads = (Head(say("column.group")), *(Head(wording.title(name), number=True) for name in names))
    named = [(brief(group) if short else group, metrics) for group, metrics in groups.items()]
    rows = tuple((row_name(group), *(_in_group(contents, metrics.get(name)) for name in names)) for group, metrics in named)
    return Grid(say("heading.by_group", {"attribute": brief(attribute) if short else attribute}), heads, rows)


def grouped(evidence: Evidence) -> dict[str, dict[str, dict[str, Metric]]]:
    """The numbers of groups: by attribute, by group, by name."""
    found: dict[str, dict[str, dict[str, Metric]]] = {}
    for metric in evidence.metrics:
        if "group" in metric.where:
            attribute, group = str(metric.where.get("attribute", "")), str(metric.where["group"])
            found.setdefault(attribute, {}).setdefault(group, {})[metric.name] = metric
    return found


def _heads(contents: Contents, metrics: Sequence[Metric]) -> tuple[Head, ...]:
    say = contents.catalogue
    coverage = " / ".join(dict.fromkeys(contents.wording.confidence(metric) for metric in metrics))
    return (
        Head(say("column.where")),
        Head(say("column.value"), number=True),
        Head(say("column.interval", {"confidence": coverage}), number=True),
        Head(say("column.n"), number=True),
    )


def _cells(contents: Contents, metric: Metric, limit: float | None = None) -> tuple[Cell, ...]:
    wording = contents.wording
    value = Cell(wording.value(metric, beside=limit), small=wording.bound(metric), strong=metric.value is not None)
    return Cell(wording.where(metric)), value, Cell(wording.interval(metric, beside=limit)), Cell(str(metric.n))


def _judged(contents: Contents, finding: Finding | None) -> Cell:
    if finding is None:
        return Cell(contents.catalogue("number.dash"))
    return Cell("", small=contents.wording.limit(finding), verdict=finding.verdict)


def _in_group(contents: Contents, metric: Metric | None) -> Cell:
    say, wording = contents.catalogue, contents.wording
    if metric is None:
        return Cell(say("number.dash"))
    said = wording.interval(metric) if metric.value is not None else wording.told(metric.reason or "")
    small = wording.listed(part for part in (wording.bound(metric), said, say("number.n", {"n": metric.n})) if part)
    return Cell(wording.value(metric), small=small, strong=True)


def _remarks(contents: Contents, metrics: Sequence[Metric]) -> list[str]:
    """What is to be said under each row: why a number is missing, once where that is the same, or unreliable."""
    say, wording = contents.catalogue, contents.wording
    said = []
    for metric, following in zip(metrics, [*metrics[1:], None], strict=True):
        if metric.value is None:
            last = following is None or following.value is not None or following.reason != metric.reason
            said.append(wording.told(metric.reason or "") if last else "")
        else:
            said.append(say("number.unreliable", {"why": wording.told(metric.unreliable)}) if metric.unreliable else "")
    return said
