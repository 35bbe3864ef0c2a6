"""Figures draw the numbers they are given, on the axes they are given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from cases import cases
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Schema
from explain import attribute
from explain.behaviour.depending import dependence
from explain.figures._style import MARKERS, PALETTE, dash
from explain.figures.bar import draw_bar
from explain.figures.beeswarm import draw_beeswarm
from explain.figures.behaviour.decision_boundary import draw_decision_boundary
from explain.figures.training.training_curves import draw_training_curves
from explain.figures.waterfall import draw_waterfall


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


def widths(ax: Axes) -> list[float]:
    return [patch.get_width() for patch in ax.patches]  # type: ignore[attr-defined]


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_bars_are_sorted_and_the_rest_is_summed(ax: Axes) -> None:
    assert draw_bar(["a", "b", "c", "d"], [1, 4, 0.5, 2], low=[0.5, 3, 0, 1], high=[2, 6, 1, 3], label="seconds", limit=2, ax=ax) is ax
    assert labels(ax) == ["b", "d", "2 others, summed"]
    assert widths(ax) == [4, 2, 1.5]
    assert ax.get_xlabel() == "seconds"
    segments = ax.containers[1][2][0].get_segments()  # type: ignore[index]
    assert [segment[:, 0].tolist() for segment in segments] == [[3, 6], [1, 3]]


def test_a_waterfall_leads_from_the_baseline_to_the_value(ax: Axes) -> None:
    steps = [0.5, -2.0, 1.0, 0.25, 0.125]
    assert draw_waterfall(list("abcde"), steps, base_value=1.0, value=0.875, label="log-odds of bad", limit=3, ax=ax) is ax
    assert labels(ax) == ["b", "c", "a", "2 other features"]
    assert widths(ax) == [-2, 1, 0.5, 0.375]
    starts = [patch.get_x() for patch in ax.patches]  # type: ignore[attr-defined]
    assert starts == [1, -1, 0, 0.5]
    assert starts[-1] + widths(ax)[-1] == 0.875
    assert {"+1", "−2", "+0.375"} <= {text.get_text() for text in ax.texts}


def test_a_waterfall_shows_what_is_not_accounted_for(ax: Axes) -> None:
    draw_waterfall(["a"], [1.0], base_value=0.0, value=1.5, label="logit", errors=[0.25], ax=ax)
    assert labels(ax) == ["a", "not accounted for"]
    assert widths(ax) == [1, 0.5]
    assert "+1 ± 0.2" in {text.get_text() for text in ax.texts}


def test_a_beeswarm_puts_every_row_at_its_attribution(ax: Axes) -> None:
    contributions = np.array([[0.1, 3.0], [0.2, -2.0], [0.1, 3.0]])
    levels = np.array([[0.0, np.nan], [1.0, np.nan], [0.5, np.nan]])
    assert draw_beeswarm(["small", "large"], contributions, levels, label="logit", ax=ax) is ax
    assert labels(ax) == ["large", "small"]
    drawn = [np.asarray(dots.get_offsets()) for dots in ax.collections if len(np.asarray(dots.get_offsets()))]
    assert sorted(drawn[0][:, 0]) == [-2, 3, 3]
    assert sorted(drawn[1][:, 0]) == [0.1, 0.1, 0.2]
    assert len(np.unique(drawn[0], axis=0)) == 3, "equal values lie beside each other"


def test_training_curves_mark_the_epoch_that_was_kept(ax: Axes) -> None:
    assert draw_training_curves([0.9, 0.5, 0.3], [0.8, 0.6, 0.7], chosen=2, ax=ax) is ax
    train, validation, kept = ax.lines[:3]
    assert np.allclose(train.get_ydata(), [0.9, 0.5, 0.3])
    assert np.allclose(validation.get_xdata(), [1, 2, 3])
    assert (list(kept.get_xdata()), list(kept.get_ydata())) == ([2], [0.6])
    for validation_losses, chosen in (([], 0), ([0.8], 2)):
        with pytest.raises(ConfigurationError, match=f"chosen must be one of the {len(validation_losses)} epochs"):
            draw_training_curves([0.9], validation_losses, chosen=chosen)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_decision_boundary_lies_where_the_decision_changes(classes: int, ax: Axes, numbers: Callable[[int], Schema]) -> None:
    module = torch.nn.Linear(2, classes)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, -50.0]])[:classes])
        module.bias.copy_(torch.tensor([2.0, -2.0, -9.0])[:classes])
    halves = Classifier.wrap(module, schema=numbers(2), classes=[f"c{i}" for i in range(classes)])
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    assert draw_decision_boundary(halves, x, halves.predict(x), ax=ax) is ax
    lines = [path.vertices for group in ax.collections if hasattr(group, "levels") for path in group.get_paths()]
    assert lines
    assert np.allclose(np.concatenate(lines)[:, 0], 0.5, atol=0.02)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x0", "x1")
    points = [np.asarray(dots.get_offsets()) for dots in ax.collections if not hasattr(dots, "levels")]
    assert sum(map(len, points)) == 50
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [f"c{i}" for i in range(classes)]


def test_a_decision_boundary_needs_two_numbers(
    classifier: Classifier, x: Tensor, random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]
) -> None:
    with pytest.raises(NotApplicableError, match="two numeric features, and the classifier has 8"):
        draw_decision_boundary(classifier, x, torch.zeros(5))
    many = Classifier.wrap(random_network(2, 11), schema=numbers(2), classes=[str(i) for i in range(11)])
    with pytest.raises(NotApplicableError, match="colours for 10 classes"):
        draw_decision_boundary(many, x[:, :2], torch.zeros(5))


@pytest.mark.parametrize(("kind", "rows"), [("waterfall", 1), ("bar", 3), ("beeswarm", 3), ("auto", 1), ("auto", 3)])
def test_an_explanation_draws_itself(kind: str, rows: int, credit: Classifier, applicants: Tensor, ax: Axes) -> None:
    explanation = attribute(credit, applicants[:rows])
    assert explanation.plot(kind, ax) is ax
    assert "log-odds of bad & <late>" in ax.get_xlabel()
    drawn = explanation.plot(kind)
    assert drawn is not ax
    drawn.figure.canvas.draw()


def test_a_waterfall_of_a_row_has_its_values_in_words(credit: Classifier, applicants: Tensor, ax: Axes) -> None:
    explanation = attribute(credit, applicants[:1])
    explanation.plot("waterfall", ax)
    assert set(labels(ax)) == {"amount = 1,000 DM", "purpose <b> = car", "rate = 1.5"}
    assert sorted(widths(ax)) == pytest.approx(sorted(explanation.by_feature()[0].tolist()))


def test_a_figure_that_does_not_fit_is_refused(credit: Classifier, applicants: Tensor) -> None:
    explanation = attribute(credit, applicants)
    with pytest.raises(ConfigurationError, match=r"a waterfall shows one row, got 3; choose one"):
        explanation.plot("waterfall")
    with pytest.raises(ConfigurationError, match="did you mean 'beeswarm'"):
        explanation.plot("beswarm")


def test_ten_classes_look_different_whatever_colours_an_eye_confuses() -> None:
    assert len({(PALETTE[i], MARKERS[i]) for i in range(10)}) == len(PALETTE) == len(MARKERS) == 10
    assert len({(PALETTE[i % 10], dash(i)) for i in range(30)}) == 30
    colors = np.array([to_rgb(color) for color in PALETTE])
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    for sight in SIGHTS.values():
        seen = np.cbrt(np.clip(linear @ np.array(sight).T, 0, 1) @ CONES.T) @ OPPONENTS.T
        apart = np.linalg.norm(seen[:, None] - seen, axis=2) + np.eye(10)
        # The first eight are those of Okabe and Ito; the two that joined are no nearer to any than those are to each other.
        assert apart[8:].min() >= apart[:8, :8].min() > 0.07


def undecided(classes: int) -> tuple[Classifier, Dataset]:
    """A classifier of which the second class moves most, whatever moves."""
    data = cases("tabular", classes)
    module = nn.Linear(len(data.schema.columns), classes)
    with torch.no_grad():
        module.weight.copy_(torch.linspace(0.1, 0.2, classes)[:, None].expand_as(module.weight))
        module.weight[1] = -3.0
    return Classifier.wrap(module, schema=data.schema, classes=data.classes), data


def test_a_flag_is_drawn_as_two_words_with_nothing_between_them() -> None:
    classifier, data = undecided(2)
    share = float(data.column("flag").mean())
    alone = dependence(classifier, data, "flag", resamples=20).plot()
    assert labels(alone) == [f"0 ({1 - share:.0%})", f"1 ({share:.0%})"]
    pair = dependence(classifier, data, ("flag", "east"), resamples=20).plot()
    assert labels(pair) == ["0", "1"]
    assert pair.get_ylim() == (-0.5, 1.5)
    assert len(np.asarray(pair.collections[1].get_offsets())) == len(data)


def test_of_many_classes_the_rows_of_the_one_that_moves_most_are_drawn() -> None:
    classifier, data = undecided(10)
    found = dependence(classifier, data, "east", "ice", resamples=20)
    ax = found.plot()
    assert ax.get_ylabel() == "logit of class 1"
    assert "of 10 classes the one that moves most" in ax.get_title(loc="left").replace("\n", " ")
    assert np.allclose(ax.lines[-2].get_ydata(), found.values[:, 1])
    legend = dependence(classifier, data, "east", resamples=20).plot().get_legend()
    assert legend is not None
    looks = {(line.get_color(), line.get_linestyle()) for line in legend.get_lines()}
    assert len(looks) == 10


# How red, green and blue of light look to those who lack one kind of cone (Machado et al., 2009), and how far apart they look then
# (Ottosson's Oklab, 2020).
SIGHTS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
CONES = np.array([[0.412221, 0.536333, 0.051446], [0.211903, 0.680700, 0.107397], [0.088302, 0.281719, 0.629979]])
OPPONENTS = np.array([[0.210454, 0.793618, -0.004072], [1.977998, -2.428592, 0.450594], [0.025904, 0.782772, -0.808676]])


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, explain, explain.figures; sys.exit(bool({'torch', 'matplotlib', 'captum', 'shap'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
