"""What an explanation can be turned into, and the pictures that fit it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import cases
from torch import Tensor

from classifier import Classifier
from classifier.errors import NotApplicableError
from explain import Explanation, attribute, available
from explain.figures.decision import draw_decision
from explain.figures.scatter import draw_scatter
from explain.figures.text import draw_text
from trainer import Recipe, train


@pytest.fixture(scope="module")
def of_texts() -> Explanation:
    data = cases("text", 2)
    classifier = train(data.split(), Recipe("transformer_text", epochs=1, options={"width": 8, "buckets": 64}), progress=False)
    return attribute(classifier, data.inputs[:3], "integrated_gradients")


@pytest.fixture(scope="module")
def of_series() -> Explanation:
    data = cases("sequence", 2)
    classifier = train(data.split(), Recipe("temporal_cnn", hidden=(4,), epochs=1), progress=False)
    return attribute(classifier, data.inputs[:3], "integrated_gradients")


def test_shap_gets_the_same_numbers_in_the_units_of_the_data(credit: Classifier, applicants: Tensor) -> None:
    explanation = attribute(credit, applicants)
    theirs = explanation.to_shap()
    assert np.array_equal(theirs.values, explanation.by_feature().numpy())
    assert np.array_equal(theirs.base_values, explanation.base_value.numpy())
    assert theirs.feature_names == ["amount", "purpose <b>", "rate"]
    assert theirs.data[0].tolist() == [1000, "car", 1.5]
    assert np.allclose(theirs.values.sum(1) + theirs.base_values, explanation.value)


def test_what_comes_after_the_end_of_a_text_is_not_told(of_texts: Explanation) -> None:
    frame = of_texts.to_frame()
    lengths = of_texts.modality.present(of_texts.inputs).sum(1)
    assert frame.groupby("row").size().tolist() == lengths.tolist()
    assert "(padding)" not in set(frame["value"])


def test_a_text_is_drawn_word_by_word_in_its_order(of_texts: Explanation) -> None:
    ax = of_texts[0].plot()
    words = list(of_texts.modality.words(of_texts.inputs)[0].values())[: int(of_texts.modality.present(of_texts.inputs)[0].sum())]
    assert [text.get_text() for text in ax.texts] == words
    assert all(word in of_texts[0].to_html() for word in words)
    assert "class 1" in ax.figure.axes[-1].get_xlabel() + of_texts[0].to_html()


def test_a_long_text_is_broken_into_lines_and_its_strongest_words_are_coloured_most() -> None:
    ax = draw_text(["word"] * 60, [0.1] * 59 + [-1.0], label="effect")
    heights = {round(text.get_position()[1], 1) for text in ax.texts}
    assert len(heights) >= 3
    *others, strongest = (patch.get_facecolor()[:3] for patch in ax.patches)
    assert all(sum(strongest) < sum(other) for other in others)


def test_a_series_is_drawn_as_long_as_it_was_observed(of_series: Explanation) -> None:
    ax = of_series[0].plot()
    (observed,) = of_series.modality.observed(of_series.inputs)[:1].sum(1).int().tolist()
    assert [len(line.get_xdata()) for line in ax.lines] == [observed, observed]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(of_series.schema.names[:2])


def test_lines_of_a_decision_end_at_the_outputs(credit: Classifier, applicants: Tensor) -> None:
    explanation = attribute(credit, applicants)
    ax = explanation.plot("decision")
    ends = [line.get_xdata()[-1] for line in ax.lines[:3]]
    assert np.allclose(ends, explanation.value)
    few = draw_decision(list("abcd"), np.ones((2, 4)), base_values=np.zeros(2), label="x", limit=2)
    assert [label.get_text() for label in few.get_yticklabels()] == ["a", "b", "2 other features"]
    assert np.allclose([line.get_xdata()[-1] for line in few.lines[:2]], 4)


def test_a_decision_that_contributions_do_not_account_for_has_a_step_of_its_own() -> None:
    ax = draw_decision(list("ab"), [[1.0, 2.0], [2.0, 1.0]], base_values=[0.0, 0.0], values=[3.5, 3.0], label="probability of x")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["not accounted for", "a", "b"]
    assert [line.get_xdata()[-2:].tolist() for line in ax.lines[:2]] == [[3.0, 3.5], [3.0, 3.0]]


def test_padding_is_no_feature_of_a_text(of_texts: Explanation) -> None:
    one = of_texts[0]
    tokens = int(one.modality.present(one.inputs).sum())
    for kind in ("bar", "waterfall", "decision", "beeswarm"):
        names = [label.get_text() for label in one.plot(kind).get_yticklabels()]
        others = [int(name.split()[0]) for name in names if "other" in name]
        assert not any("padding" in name for name in names)
        assert len(names) + sum(others) - len(others) == tokens or kind == "beeswarm"
    assert "(padding)" not in one.to_html()


def test_attention_is_for_no_class(of_texts: Explanation) -> None:
    looked = replace(of_texts[0], method="attention_rollout")
    assert looked.label == "weight (no unit), the same for every class"
    assert "class 1" not in looked.plot().figure.axes[-1].get_xlabel()
    assert "the log-odds of class 1" in replace(of_texts[0], method="attention_gradient").label


def test_the_colours_of_a_series_are_in_the_numbers_of_the_table(of_series: Explanation) -> None:
    one, steps = of_series[0], int(of_series.modality.observed(of_series.inputs)[0].sum())
    assert one.plot().figure.axes[-1].get_ylabel().replace("\n", " ") == f"{one.label}, per step"
    whole = replace(one, attributions=one.modality.spread(one.by_feature(), one.inputs))
    ax = whole.plot()
    assert ax.figure.axes[-1].get_ylabel().replace("\n", " ") == f"{one.label}, per stretch of 3 steps"
    drawn = np.concatenate([np.asarray(image.get_array())[0, ::3] for image in ax.images])
    table = dict(zip(one.modality.players, one.by_feature()[0].tolist(), strict=True))
    names = [name for name in one.modality.players if not name.startswith("(") and int(name.split()[-3]) <= steps]
    assert np.allclose(sorted(drawn), sorted(table[name] for name in names))


def test_a_scatter_shows_natural_units(credit: Classifier, applicants: Tensor) -> None:
    explanation = attribute(credit, applicants)
    ax = draw_scatter(explanation, "rate", color_by="amount")
    assert np.allclose(sorted(ax.collections[0].get_offsets()[:, 0]), [1.0, 1.5, 3.0])
    assert ax.figure.axes[-1].get_ylabel() == "amount, in DM"
    assert ax.get_xlabel() == "rate"
    assert draw_scatter(explanation, "amount").get_xlabel() == "amount, in DM; dots of one value lie beside each other"
    assert draw_scatter(explanation, "purpose <b>").get_xticklabels()[1].get_text() == "tv & radio"
    with pytest.raises(NotApplicableError, match="no feature 'rates'"):
        draw_scatter(explanation, "rates")
    with pytest.raises(NotApplicableError, match="is categorical"):
        draw_scatter(explanation, "rate", color_by="purpose <b>")


def test_a_picture_that_would_mislead_is_refused(credit: Classifier, applicants: Tensor, of_texts: Explanation) -> None:
    slopes = attribute(credit, applicants, "saliency")
    for kind in ("waterfall", "decision"):
        with pytest.raises(NotApplicableError, match="adds contributions up"):
            slopes[0].plot(kind)
    assert slopes[0].plot().get_xlabel() == "slope of the log-odds of bad & <late> per encoded unit"
    for kind in ("series", "scatter", "heatmap"):
        with pytest.raises(NotApplicableError):
            of_texts[0].plot(kind)


def test_the_methods_print_as_a_list_with_reasons(black_box: Classifier) -> None:
    entries = available(black_box)
    assert "saliency: it needs gradients, and the classifier is a black box" in str(entries)
    assert "exact_shapley: applies" in str(entries)
    frame = entries.to_frame()
    assert frame.set_index("method").loc["saliency", "quantity"] == "slope"
    assert "<table" in entries._repr_html_()


def test_the_record_tells_how_long_it_took(credit: Classifier, applicants: Tensor) -> None:
    explanation = attribute(credit, applicants)
    assert explanation.seconds is not None
    assert explanation.seconds > 0
    assert torch.equal(explanation.attributions, attribute(credit, applicants).attributions)
