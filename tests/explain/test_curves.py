"""The curves of an additive classifier are drawn as it computes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from classifier import Classifier, Dataset
from classifier.architectures._terms import AdditiveNetwork
from classifier.architectures.additive import Additive
from classifier.errors import ConfigurationError, NotApplicableError
from explain.figures.behaviour.curves import draw_curve, draw_curves


def loans(classes: int) -> Dataset:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": generator.normal(50, 10, 80),
            "months": generator.integers(6, 12, 80),
            "home": ["rent", "own", "free", "own"] * 20,
            "phone": ["no", "yes"] * 40,
        }
    )
    return Dataset.from_frame(frame.assign(y=[f"c{i % classes}" for i in range(80)]), target="y")


def additive(data: Dataset, pairs: tuple[tuple[str, str], ...] = ()) -> Classifier:
    options = Additive(pairs=pairs)
    module = options.build(data.schema, len(data.classes))
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return Classifier.wrap(module, schema=data.schema, classes=data.classes, factory=options)


def term(classifier: Classifier, frame: pd.DataFrame, place: int) -> np.ndarray:
    """What a term adds to the log-odds, or to each logit, of cases in natural units."""
    assert isinstance(classifier.module, AdditiveNetwork)
    values = classifier.module.contributions(classifier.schema.encode(frame))[:, place].numpy()
    return values[:, 1] - values[:, 0] if values.shape[1] == 2 else values


def cases(data: Dataset, **changed: object) -> pd.DataFrame:
    count = len(next(iter(changed.values())))  # type: ignore[arg-type]
    return pd.concat([data.frame().iloc[:1]] * count, ignore_index=True).assign(**changed)


def test_a_numbers_line_is_its_term_from_the_lowest_to_the_highest_row() -> None:
    data = loans(2)
    classifier = additive(data)
    for place, name in enumerate(("income", "months")):
        line = draw_curve(classifier, data, [name]).lines[0]
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        column = data.column(name)
        assert (x[0], x[-1]) == (column.min(), column.max())
        assert np.allclose(y, term(classifier, cases(data, **{name: x}), place), atol=1e-5)
        assert y.std() > 0.01
    assert set(x) == set(range(6, 12)), "a whole number has no points between"


def test_a_categorys_bar_is_its_value_with_its_share_of_rows() -> None:
    data = loans(2)
    classifier = additive(data)
    ax = draw_curve(classifier, data, ["home"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["free (25%)", "own (50%)", "rent (25%)"]
    widths = [patch.get_width() for patch in ax.patches]  # type: ignore[attr-defined]
    assert np.allclose(widths, term(classifier, cases(data, home=["free", "own", "rent"]), 2), atol=1e-5)


def test_the_density_counts_every_row() -> None:
    data = loans(2)
    ax = draw_curve(additive(data), data, ["income"])
    assert isinstance(ax.figure, Figure)
    below = next(other for other in ax.figure.axes if other is not ax)
    assert sum(patch.get_height() for patch in below.patches) == 80  # type: ignore[attr-defined]


@pytest.mark.parametrize("pair", [("income", "months"), ("home", "income"), ("phone", "home")])
def test_a_pairs_surface_is_its_term(pair: tuple[str, str]) -> None:
    data = loans(2)
    classifier = additive(data, (pair,))
    ax = draw_curve(classifier, data, pair)
    mesh = ax.collections[0]
    drawn = np.asarray(mesh.get_array())
    across, up = ax.get_xlabel(), ax.get_ylabel()
    assert {across, up} == set(pair)
    corner = {name: data.schema[name].categories[0] if data.schema[name].categories else data.column(name).min() for name in pair}
    assert np.allclose(drawn[0, 0], term(classifier, cases(data, **{name: [value] for name, value in corner.items()}), 4)[0], atol=1e-5)
    last = {name: data.schema[name].categories[-1] if data.schema[name].categories else data.column(name).max() for name in pair}
    end = {across: [last[across]], up: [corner[up]]}
    assert np.allclose(drawn[0, -1], term(classifier, cases(data, **end), 4)[0], atol=1e-5)
    assert len(np.asarray(ax.collections[1].get_offsets())) == 80


def test_every_term_gets_a_panel_and_the_largest_comes_first() -> None:
    data = loans(2)
    classifier = additive(data, (("income", "home"),))
    figure = draw_curves(classifier, data)
    figure.canvas.draw()
    titles = [ax.get_title("left") for ax in figure.axes if ax.get_title("left")]
    assert set(titles) == {"income", "months", "home", "phone", "income × home"}
    assert isinstance(classifier.module, AdditiveNetwork)
    values = classifier.module.contributions(data.inputs)
    size = (values[..., 1] - values[..., 0]).std(0)
    assert titles == [" × ".join(classifier.module.terms[t]) for t in size.argsort(descending=True)]
    assert [ax.get_title("left") for ax in draw_curves(classifier, data, features=["home"]).axes] == ["home"]


def test_of_many_classes_every_logit_is_drawn() -> None:
    data = loans(3)
    classifier = additive(data, (("income", "home"),))
    ax = draw_curve(classifier, data, ["income"])
    x = np.asarray(ax.lines[0].get_xdata())
    drawn = np.stack([np.asarray(line.get_ydata()) for line in ax.lines[:3]], 1)
    assert np.allclose(drawn, term(classifier, cases(data, income=x), 0), atol=1e-5)
    assert len(draw_curve(classifier, data, ["phone"]).patches) == 6
    titles = [ax.get_title("left") for ax in draw_curves(classifier, data).axes]
    assert {f"income × home, c{i}" for i in range(3)} <= set(titles)


def test_what_cannot_be_drawn_is_refused(linear_classifier: Classifier) -> None:
    data = loans(2)
    with pytest.raises(NotApplicableError, match=r'curves are drawn of an additive network.*architecture = "additive"'):
        draw_curves(linear_classifier, data)
    with pytest.raises(ConfigurationError, match="no feature 'incme'; did you mean 'income'"):
        draw_curves(additive(data), data, features=["incme"])
    with pytest.raises(ConfigurationError, match="no term 'income × home'"):
        draw_curve(additive(data), data, ["income", "home"])


def test_of_many_categories_the_most_frequent_are_drawn_and_the_title_says_so() -> None:
    cities = [f"city {i % 20:02}" for i in range(80)] + ["city 07"] * 5 + ["city 19"] * 3
    frame = pd.DataFrame({"city": cities, "y": ["no", "yes"] * 44})
    data = Dataset.from_frame(frame, target="y")
    ax = draw_curve(additive(data), data, ["city"])
    assert ax.get_title("left") == "city, the 12 most frequent of 20"
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 12
    assert {"city 07 (10%)", "city 19 (8%)"} <= set(labels)
