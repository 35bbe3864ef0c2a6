from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from audit import Audit
from audit.evidence import Figure, Series
from audit.report import languages, write_figures
from audit.report.catalogue import read_catalogue
from audit.report.figures import _intervals, _lines, draw_svg
from audit.report.wording import Wording
from tests.audit.report.conftest import replace_evidence

WORDING = Wording(read_catalogue())


def test_every_figure_is_the_same_bytes_twice(unjudged: Audit) -> None:
    drawn = 0
    for evidence in unjudged.evidence:
        for figure in evidence.figures:
            svg = draw_svg(evidence.check, figure, WORDING)
            assert svg == draw_svg(evidence.check, figure, WORDING)
            ElementTree.fromstring(svg)
            drawn += 1
    assert drawn == 20


def test_a_figure_carries_its_labels_as_text_and_no_date(unjudged: Audit) -> None:
    evidence = unjudged["fairness.groups"]
    figure = next(f for f in evidence.figures if f.words["attribute"] == "foreign_worker")
    svg = draw_svg(evidence.check, figure, WORDING)
    assert all(label in svg for label in figure.labels)
    assert "dc:date" not in svg


LONG = ("word " * 24 + "(n = 310)", "A" * 120 + " (n = 310)", "个人状况及性别为女性且未单身或者男性单身" * 6 + " (n = 310)")


def intervals(*labels: str) -> Figure:
    count = len(labels)
    series = Series("approval_rate", tuple(map(float, range(count))), (0.5,) * count, (0.4,) * count, (0.6,) * count)
    return Figure("approval_by_sex", "intervals", (series,), labels=labels, words={"attribute": "sex"})


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("label", LONG)
def test_labels_stand_apart_in_the_picture_and_the_n_of_a_long_one_is_not_cut_off(label: str, language: str) -> None:
    ax = _intervals("fairness.groups", intervals(*[label] * 12), Wording(read_catalogue(language)))
    drawing = ax.get_figure(root=True)
    assert drawing is not None
    drawing.canvas.draw()
    boxes = [tick.get_window_extent() for tick in ax.get_yticklabels()]
    assert all(tick.get_text().rstrip(")）").endswith("n = 310") for tick in ax.get_yticklabels())
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0
    # No more than half of the width, so that the numbers have theirs.
    assert max(box.x1 for box in boxes) <= 0.5 * drawing.bbox.width


def test_a_label_that_fits_on_its_lines_is_whole_and_takes_no_more_room_than_it_must() -> None:
    short, long = (_intervals("fairness.groups", intervals(label, label), WORDING) for label in ("no (n = 4)", LONG[1]))
    assert [tick.get_text() for tick in short.get_yticklabels()] == ["no (n = 4)"] * 2
    heights = [ax.get_figure(root=True).get_figheight() for ax in (short, long)]  # type: ignore[union-attr]
    assert heights[0] < heights[1]


@pytest.mark.parametrize(("language", "percent"), [("en", "20 %"), ("zh-CN", "20%")])
def test_an_axis_writes_percent_as_the_language_does(language: str, percent: str) -> None:
    svg = draw_svg("fairness.groups", intervals("no (n = 4)"), Wording(read_catalogue(language)))
    assert f">{percent}<" in svg.replace("\u00a0", " ")


def test_the_sum_of_small_contributions_is_put_into_words(unjudged: Audit) -> None:
    evidence = unjudged["explanation.attribution"]
    figure = next(f for f in evidence.figures if f.kind == "waterfall")
    assert figure.labels[-1] == "+ 8"
    assert "8 other features" in draw_svg(evidence.check, figure, WORDING)


def test_an_attribute_that_looks_like_a_path_stays_in_the_folder(unjudged: Audit, tmp_path: Path) -> None:
    groups = unjudged["fairness.groups"]
    evil = replace(groups.figures[0], name="approval_by_../../evil", words={"attribute": "../../evil"})
    audit = replace_evidence(unjudged, groups.check, lambda e: replace(e, figures=(evil,)))
    write_figures(audit, tmp_path / "deep" / "figures")
    assert {path.name for path in tmp_path.rglob("*.svg")} == {path.name for path in (tmp_path / "deep" / "figures").iterdir()}
    assert (tmp_path / "deep" / "figures" / "fairness.groups.figure-1.en.svg").exists()
    assert (tmp_path / "deep" / "figures" / "performance.calibration.reliability.en.svg").exists()


def test_where_lines_meet_each_name_stands_beside_its_own_colour_and_the_names_stay_apart() -> None:
    names = ("softmax", "energy", "mahalanobis")
    series = tuple(Series(name, x=(0.0, 0.5, 1.0), y=(0.0, 0.5 + 0.1 * index, 1.0)) for index, name in enumerate(names))
    figure = Figure("roc_near", "lines", series, diagonal=True, words={"known": 10})
    ax = _lines("robustness.out_of_distribution", figure, WORDING)
    plotted = [line for line in ax.get_lines() if line.get_transform() is not ax.transAxes and len(line.get_xdata()) == 3]
    pieces = [line for line in ax.get_lines() if line.get_transform() is ax.transAxes]
    assert len(plotted) == len(pieces) == len(ax.texts) == 3
    look = {line.get_color(): (line.get_marker(), line.get_linestyle()) for line in plotted}
    assert {piece.get_color(): (piece.get_marker(), piece.get_linestyle()) for piece in pieces} == look
    heights = sorted(float(piece.get_ydata()[0]) for piece in pieces)
    assert heights[-1] <= 1.0
    assert min(np.diff(heights)) >= 0.069
    # Each name beside a piece of its line.
    called = {text.xy[1]: text.get_text() for text in ax.texts}
    colours = {float(piece.get_ydata()[0]): piece.get_color() for piece in pieces}
    for line, name in zip(plotted, names, strict=True):
        (height,) = [h for h, colour in colours.items() if colour == line.get_color()]
        assert called[height] == WORDING.figure("robustness.out_of_distribution", figure, f"series.{name}")


def test_the_names_of_lines_stay_apart_on_a_logarithmic_scale() -> None:
    series = tuple(Series(name, x=(0.001, 0.1, 1.0), y=(0.001, 0.2, 1.0 - 0.001 * i)) for i, name in enumerate(("softmax", "energy")))
    ax = _lines("robustness.out_of_distribution", Figure("roc_near", "lines", series, log=True, words={"known": 10}), WORDING)
    low, high = sorted(text.xy[1] for text in ax.texts)
    assert high - low >= 0.069
