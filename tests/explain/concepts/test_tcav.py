"""Concepts: the directions are those of logistic regressions, the scores are Captum's, and planted concepts are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import cases
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.schema import Feature, Schema
from explain.concepts.layer_values import flat_activations, output_slopes
from explain.concepts.testing import measure_rises, tcav
from explain.concepts.vectors import Examples
from trainer import Recipe, train

FEATURES, HIDDEN = 6, 40


@pytest.fixture(scope="module")
def planted() -> Classifier:
    """A network whose layer `1` knows the features 0 and 1 alike, and whose output reads only what it knows of 0."""
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2))
    with torch.no_grad():
        first, last = network[0], network[2]
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        first.weight.copy_(0.5 * torch.randn(HIDDEN, FEATURES, generator=generator))
        first.weight[: HIDDEN // 2, 1] = 0
        first.weight[HIDDEN // 2 :, 0] = 0
        last.weight.zero_()
        last.weight[1, : HIDDEN // 2] = first.weight[: HIDDEN // 2, 0]
    schema = Schema("tabular", tuple(Feature(f"x{i}", "continuous", scale=1.0) for i in range(FEATURES)), encoding="natural")
    return Classifier.wrap(network, schema=schema, classes=("no", "yes"))


def rows(count: int, seed: int, *, high: int | None = None) -> Tensor:
    x = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed))
    if high is not None:
        x[:, high] = x[:, high] + 2.5
    return x


def test_directions_are_those_of_scikit_learns_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = torch.Generator().manual_seed(0)
    for numbers in (4, 500):
        values = 3 * torch.randn(60, numbers, generator=generator) + 7
        values[:20] += 1.5
        examples = Examples.of(values)
        own, others = torch.arange(20).expand(3, -1), torch.stack([20 + torch.randperm(40, generator=generator)[:20] for _ in range(3)])
        weights = examples.weights(own, others)
        directions = examples.directions(weights).numpy()
        centred = (values.double() - values.double().mean(0)).numpy()
        points = np.c_[centred / np.sqrt((centred**2).mean()), np.full(60, numbers**0.5)]
        for run in range(3):
            chosen = np.r_[own[run], others[run]]
            model = LogisticRegression(fit_intercept=False, tol=1e-10, max_iter=100_000).fit(points[chosen], np.repeat([1, 0], 20))
            theirs = model.coef_[0, :-1]
            assert directions[run] @ theirs / np.linalg.norm(theirs) == pytest.approx(1, abs=1e-9)
            assert examples.log_odds(weights, torch.arange(60).expand(3, -1))[run].numpy() == pytest.approx(
                model.decision_function(points), abs=1e-4
            )


def test_of_a_linear_output_the_rise_is_the_cosine_with_its_weights(planted: Classifier) -> None:
    module = planted.module
    assert isinstance(module, nn.Sequential)
    weight = (module[2].weight[1] - module[2].weight[0]).double()  # type: ignore[operator, index]
    examples = Examples.of(flat_activations(planted, torch.cat([rows(20, 0, high=0), rows(20, 1)]), "1"))
    weights = examples.weights(torch.arange(20)[None], torch.arange(20, 40)[None])
    (share,), (rise,) = measure_rises(examples, weights, output_slopes(planted, rows(9, 2), "1", target=1, output="log_odds"))
    cosine = float(nn.functional.cosine_similarity(examples.directions(weights)[0], weight, dim=0))
    assert rise == pytest.approx(cosine, abs=1e-6)
    assert share == (cosine > 0)


def test_scores_are_captums_for_the_same_directions(classifier: Classifier, tmp_path: Path) -> None:
    from captum.concept import TCAV, Concept
    from captum.concept._utils.classifier import Classifier as CaptumClassifier

    concept, other, inputs = torch.rand(90, 8, generator=torch.Generator().manual_seed(0)).split([20, 20, 50])
    examples = Examples.of(flat_activations(classifier, torch.cat([concept, other]), "0"))
    weights = examples.weights(torch.arange(20)[None], torch.arange(20, 40)[None])
    (share,), _ = measure_rises(examples, weights, output_slopes(classifier, inputs, "0", target=1, output="logit"))
    direction = examples.directions(weights).float()

    class Given(CaptumClassifier):
        def __init__(self) -> None:
            pass

        def train_and_eval(self, dataloader: Any, **options: Any) -> None:
            return None

        def weights(self) -> Tensor:
            return torch.cat([direction, -direction])

        def classes(self) -> list[int]:
            return [0, 1]

    def loaded(x: Tensor) -> Iterator[Tensor]:
        return iter([x])

    module = classifier.module
    assert module is not None
    theirs = TCAV(module, ["0"], classifier=Given(), save_path=str(tmp_path))
    sets = [Concept(0, "high", loaded(concept)), Concept(1, "random", loaded(other))]
    scores = theirs.interpret(inputs, [sets], target=1)["0-1"]["0"]
    assert share == pytest.approx(float(scores["sign_count"][0]), abs=1e-6)
    assert 0 < share < 1
    slopes = torch.cat(list(output_slopes(classifier, inputs, "0", target=1, output="logit")))
    assert float((slopes @ direction[0]).mean()) == pytest.approx(float(scores["magnitude"][0]), abs=1e-5)


def test_a_concept_that_is_used_is_significant_and_one_that_is_ignored_is_not(planted: Classifier) -> None:
    concepts = {"used": rows(24, 1, high=0), "ignored": rows(24, 2, high=1), "nothing": rows(24, 3)}
    found = tcav(planted, concepts, rows(200, 4), rows(100, 5), "1")
    assert found.significant.tolist() == [True, False, False]
    assert found.found.tolist() == [True, True, False]
    assert found.verdicts == (
        "raises the log-odds of yes",
        "no different from random concepts",
        "the layer does not tell it from random examples",
    )
    assert found.rise[0] > 0.4
    assert abs(found.rise[1]) < 0.1
    assert tcav(planted, concepts, rows(200, 4), rows(100, 5), "1", target="no").rise == pytest.approx(-found.rise, abs=1e-9)
    assert found.p[0] == pytest.approx(3 / 121), "120 random concepts, and three concepts to correct for"


@pytest.mark.slow
def test_a_random_concept_is_rarely_significant_where_the_t_test_often_finds_it_so(planted: Classifier) -> None:
    ranks, gated, t_test = 0, 0, 0
    for seed in range(40):
        found = tcav(planted, {"nothing": rows(20, 100 + seed)}, rows(120, 4), rows(60, 5), "1", seed=seed)
        ranks += bool(found.p[0] <= 0.05)
        gated += bool(found.significant[0])
        t_test += bool(found.p_t_test[0] <= 0.05)
    assert ranks <= 6
    assert gated <= 2
    assert t_test >= 12


def test_a_planted_concept_of_images_is_found() -> None:
    images = cases("image", 2, each=30)
    network = train(images.split(seed=0), Recipe("cnn", epochs=8), progress=False)
    noise = torch.rand(60, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.15
    square = noise[:24].clone()
    square[:, :, :4, 4:8] = 0.98
    found = tcav(network, {"the square of class 1": square}, noise, images.inputs[images.labels == 0], "14")
    assert found.significant[0]
    assert found.rise[0] > 0
    assert found.plot().texts[0].get_text().startswith("+")
    assert "the square of class 1" in found._repr_html_()


def test_texts_have_concepts_in_a_layer() -> None:
    texts = cases("text", 2)
    reader = train(texts.split(seed=0), Recipe("transformer_text", epochs=1), progress=False)
    found = tcav(reader, {"some": texts.inputs[:6]}, texts.inputs[6:], texts.inputs, "normal", runs=3)
    assert np.isfinite(found.rise).all()
    assert "few examples" in found.notes[0]


def test_it_is_the_same_again(planted: Classifier) -> None:
    first, again = (tcav(planted, {"used": rows(12, 1, high=0)}, rows(40, 4), rows(10, 5), "0", runs=3) for _ in range(2))
    assert (first.scores == again.scores).all()
    assert (first.random == again.random).all()
    frame = first.to_frame()
    assert frame["p_t_test"].between(0, 1).all()
    assert len(frame) == 1


def test_what_cannot_be_is_refused(planted: Classifier) -> None:
    concepts, pool, inputs = {"used": rows(12, 1, high=0)}, rows(40, 4), rows(10, 5)
    with pytest.raises(ConfigurationError, match="no layer '7'"):
        tcav(planted, concepts, pool, inputs, "7")
    with pytest.raises(ConfigurationError, match="'used' has 12 examples and there are 20 random ones"):
        tcav(planted, concepts, pool[:20], inputs, "1")
    with pytest.raises(ConfigurationError, match="runs must be at least 3, got 1"):
        tcav(planted, concepts, pool, inputs, "1", runs=1)
    with pytest.raises(ConfigurationError, match="there is no concept"):
        tcav(planted, {}, pool, inputs, "1")
    ten = Classifier.wrap(nn.Sequential(nn.Linear(FEATURES, 10)), schema=planted.schema, classes=[f"c{i}" for i in range(10)])
    with pytest.raises(ConfigurationError, match="a sensitivity is of one class, and the classifier has 10; name one"):
        tcav(ten, concepts, pool, inputs, "0")
    box = Classifier.wrap(planted.probabilities, schema=planted.schema, classes=planted.classes)
    with pytest.raises(NotApplicableError, match="black box"):
        tcav(box, concepts, pool, inputs, "1")
    flat = Classifier.wrap(
        nn.Sequential(nn.Linear(FEATURES, 4), nn.Threshold(1e6, 0.0), nn.Linear(4, 2)), schema=planted.schema, classes=planted.classes
    )
    with pytest.raises(ModelError, match="gives the same for all examples"):
        tcav(flat, concepts, pool, inputs, "1")


def test_random_examples_without_spread_are_no_chance_to_judge_by(planted: Classifier) -> None:
    concepts, inputs = {"used": rows(12, 1, high=0)}, rows(10, 5)
    with pytest.raises(ConfigurationError, match="all 100 random examples are the same; give ones that differ"):
        tcav(planted, concepts, rows(1, 4).expand(100, -1), inputs, "1")
    found = tcav(planted, concepts, rows(5, 4).repeat(20, 1), inputs, "1")
    assert "only 5 of 100 random examples are different, so p rests on few" in found.notes
