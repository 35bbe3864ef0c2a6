"""Figures draw the numbers they are given, on the axes they are given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Schema
from explain import attribute
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
    points = [np.asarray(dots.get_offsets()) for dots in ax.collections if dots.get_label().startswith("c")]  # type: ignore[union-attr]
    assert sum(map(len, points)) == 50


def test_a_decision_boundary_needs_two_numbers(
    classifier: Classifier, x: Tensor, random_network: Callable[..., nn.Module], numbers: Callable[[int], Schema]
) -> None:
    with pytest.raises(NotApplicableError, match="two numeric features, and the classifier has 8"):
        draw_decision_boundary(classifier, x, torch.zeros(5))
    many = Classifier.wrap(random_network(2, 9), schema=numbers(2), classes=[str(i) for i in range(9)])
    with pytest.raises(NotApplicableError, match="colours for 8 classes"):
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


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, explain, explain.figures; sys.exit(bool({'torch', 'matplotlib', 'captum', 'shap'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
