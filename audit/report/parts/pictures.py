"""Pictures of a report: figures with words for whoever cannot see them, and what is drawn as a table."""

from __future__ import annotations

from audit.evidence import Figure
from audit.report.contents import Contents
from audit.report.document import Cell, Grid, Head, Picture


def picture(contents: Contents, check: str, figure: Figure) -> Picture:
    """A figure in the words of a language, with its numbers.

    Args:
        contents: What is shown.
        check: The check that it is from.
        figure: What is drawn.
    """
    wording = contents.wording
    title, caption = (wording.figure(check, figure, part) for part in ("title", "caption"))
    heads, rows = _numbers(contents, check, figure)
    numbers = Grid(
        title,
        tuple(Head(head, number=place > 0) for place, head in enumerate(heads)),
        tuple(tuple(Cell(text) for text in row) for row in rows),
    )
    return Picture(check, figure, title, caption, numbers)


def _numbers(contents: Contents, check: str, figure: Figure) -> tuple[list[str], list[list[str]]]:
    """The heads and the rows of the table under a figure."""
    say, wording = contents.catalogue, contents.wording
    x = "" if figure.kind == "pictures" else wording.figure(check, figure, "x")
    if figure.kind == "waterfall":
        (series,) = figure.series
        ends = [(wording.figure(check, figure, part), figure.words[word]) for part, word in (("start", "base"), ("end", "value"))]
        steps = [[wording.label(label), wording.number(y)] for label, y in zip(figure.labels, series.y, strict=True)]
        first, last = ([name, wording.number(float(value))] for name, value in ends)
        return [say("column.item"), x], [first, *steps, last]
    if figure.kind == "heatmap":
        contributions = zip(figure.labels, figure.series[0].y, strict=True)
        return [say("column.item"), x], [[wording.label(label), wording.number(y)] for label, y in contributions]
    if figure.kind == "pictures":
        means = (sum(series.y) / len(series.y) for series in figure.series)
        return [say("column.item"), say("column.brightness")], [
            [wording.label(label), wording.number(mean)] for label, mean in zip(figure.labels, means, strict=True)
        ]
    bounds = [say("column.low"), say("column.high")] if any(series.low for series in figure.series) else []
    if figure.kind == "intervals":
        (series,) = figure.series
        numbers = zip(series.y, series.low, series.high, strict=True)
        rows = [[wording.label(name), *map(wording.number, row)] for name, row in zip(figure.labels, numbers, strict=True)]
        return [say("column.item"), x, *bounds], rows
    rows = []
    for series in figure.series:
        name = wording.figure(check, figure, f"series.{series.name}")
        places = zip(series.x, series.y, *((series.low, series.high) if series.low else ()), strict=True)
        rows += [[name, *map(wording.number, place)] for place in places]
    return [say("column.series"), x, wording.figure(check, figure, "y"), *bounds], rows
