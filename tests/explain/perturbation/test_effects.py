"""Ablation, permutation and occlusion: definitions by hand, Captum's numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import FeatureAblation, Occlusion
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.schema import Feature, Schema
from classifier.tokenizer import SPECIAL
from explain import attribute
from explain.output import Output


def output(classifier: Classifier) -> Output:
    return Output.of(classifier, "auto")


def function(classifier: Classifier) -> object:
    """The log-odds as Captum wants them."""
    return lambda x: classifier.logits(x)[:, 1] - classifier.logits(x)[:, 0]


def images(channels: int, height: int, width: int) -> tuple[Classifier, Tensor]:
    generator = torch.Generator().manual_seed(1)
    names = tuple(f"c{i}" for i in range(channels))
    schema = Schema("image", tuple(Feature(name, "continuous", 0.0, 1.0) for name in names), size=(height, width))
    module = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * height * width, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return Classifier.wrap(module, schema=schema, classes=("no", "yes")), torch.rand(3, channels, height, width, generator=generator)


def test_ablation_is_captums(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    ours = attribute(classifier, x, "feature_ablation", baseline=background[0])
    theirs = FeatureAblation(function(classifier)).attribute(x, baselines=background[:1])
    assert torch.allclose(ours.attributions.float(), theirs, atol=1e-5)
    assert ours.exact


def test_ablation_takes_a_baseline_for_each_input(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    ours = attribute(classifier, x, "feature_ablation", baseline=background[:5])
    alone = [attribute(classifier, x[[i]], "feature_ablation", baseline=background[i]).attributions for i in range(5)]
    assert torch.allclose(ours.attributions, torch.cat(alone), atol=1e-5)


def test_permutation_is_the_mean_of_ablations_over_the_background(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    ours = attribute(classifier, x, "feature_permutation", baseline=background)
    each = torch.stack([attribute(classifier, x, "feature_ablation", baseline=row).attributions for row in background])
    assert torch.allclose(ours.attributions, each.mean(0), atol=1e-5)
    assert ours.standard_error is not None
    assert torch.allclose(ours.standard_error, each.std(0) / len(background) ** 0.5, atol=1e-5)
    assert not ours.exact


def test_the_standard_error_of_permutation_covers_what_a_larger_background_gives(classifier: Classifier, x: Tensor) -> None:
    population = torch.rand(4000, 8, generator=torch.Generator().manual_seed(5))
    truth = attribute(classifier, x, "feature_permutation", baseline=population).attributions
    scores = []
    for part in torch.split(population[:1000], 50):
        few = attribute(classifier, x, "feature_permutation", baseline=part)
        assert few.standard_error is not None
        scores.append((few.attributions - truth) / few.standard_error)
    assert float(torch.stack(scores).square().mean().sqrt()) == pytest.approx(1.0, abs=0.15)


def test_permutation_against_one_row_is_ablation(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    ours = attribute(classifier, x, "feature_permutation", baseline=background[:1])
    assert torch.equal(ours.attributions, attribute(classifier, x, "feature_ablation", baseline=background[0]).attributions)
    assert ours.standard_error is None
    assert ours.exact


def test_a_background_in_pieces_has_the_same_mean_and_spread(
    classifier: Classifier, x: Tensor, background: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attribute(classifier, x, "feature_permutation", baseline=background)
    monkeypatch.setattr("explain.attribution.feature_permutation.chunk_size", lambda shape: 3 * 5 * 8)
    pieces = attribute(classifier, x, "feature_permutation", baseline=background)
    assert torch.allclose(pieces.attributions, whole.attributions, atol=1e-6)
    assert whole.standard_error is not None
    assert pieces.standard_error is not None
    assert torch.allclose(pieces.standard_error, whole.standard_error, atol=1e-6)


@pytest.mark.parametrize(("shape", "window", "stride"), [((1, 8, 8), 2, 2), ((3, 8, 6), 2, 1), ((2, 7, 7), 3, 2)])
def test_occlusion_is_captums_divided_over_the_window(shape: tuple[int, int, int], window: int, stride: int) -> None:
    classifier, x = images(*shape)
    ours = attribute(classifier, x, "occlusion", window=window, stride=stride, baseline=torch.zeros(shape)).attributions
    theirs = Occlusion(function(classifier)).attribute(x, (shape[0], window, window), strides=(shape[0], stride, stride), baselines=0.0)
    assert torch.allclose(ours.float() * shape[0] * window**2, theirs, atol=1e-5)


def test_a_window_of_a_patch_gives_each_patch_its_ablation() -> None:
    classifier, x = images(2, 10, 9)
    assert classifier.schema.modality == "image"
    side = 2  # The smallest with at most 49 patches; the last of a line is cut.
    by_window = attribute(classifier, x, "occlusion", window=side, stride=side).by_feature()
    assert torch.allclose(by_window, attribute(classifier, x, "feature_ablation").by_feature(), atol=1e-5)


def test_windows_at_the_edge_are_cut_and_not_left_out() -> None:
    classifier, x = images(1, 8, 8)
    explanation = attribute(classifier, x, "occlusion", window=5, stride=5, baseline=torch.zeros(1, 8, 8))
    corner = x.clone()
    corner[:, :, 5:, 5:] = 0
    effect = output(classifier)(x, explanation.target) - output(classifier)(corner, explanation.target)
    assert torch.allclose(explanation.attributions[:, :, 5:, 5:].sum((1, 2, 3)).float(), effect, atol=1e-5)


def test_windows_slide_over_the_steps_of_each_variable() -> None:
    schema = Schema(
        "sequence",
        (Feature("a", "continuous", 0.0, 1.0), Feature("b", "categorical", categories=("u", "v"))),
        size=(6,),
    )
    module = nn.Sequential(nn.Flatten(), nn.Linear(18, 2))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    x = torch.rand(2, 6, 3)
    baseline = torch.zeros(6, 3)
    explanation = attribute(classifier, x, "occlusion", window=2, stride=1, baseline=baseline)
    weight = (classifier.module[1].weight[1] - classifier.module[1].weight[0]).reshape(6, 3)  # type: ignore[index,union-attr]
    own = (weight * x).double()
    cells = torch.stack([own[..., 0], own[..., 1:].sum(2)], 2)
    pairs = (cells[:, :-1] + cells[:, 1:]) / 2
    truth = torch.stack([pairs[:, 0], *((pairs[:, t - 1] + pairs[:, t]) / 2 for t in range(1, 5)), pairs[:, 4]], 1)
    found = torch.stack([explanation.attributions[..., 0], explanation.attributions[..., 1:].sum(2)], 2)
    assert torch.allclose(found, truth, atol=1e-5)


def test_the_flag_of_a_single_variable_goes_with_its_steps() -> None:
    flag = Feature("(observed)", "binary", mutable=False)
    schema = Schema("sequence", (Feature("a", "continuous", 0.0, 1.0), flag), size=(4,))
    module = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    classifier = Classifier.wrap(module, schema=schema, classes=("no", "yes"))
    x = torch.cat([torch.rand(2, 4, 1), torch.ones(2, 4, 1)], 2)
    explanation = attribute(classifier, x, "occlusion", window=1, stride=1, baseline=torch.zeros(4, 2))
    assert (explanation.attributions[..., 1] == 0).all()
    change = explanation.value - explanation.base_value
    assert torch.allclose(explanation.by_feature().sum(1), change, atol=1e-5)  # The network is linear.


def test_a_window_of_a_text_shares_its_effect_among_the_tokens_that_are_there() -> None:
    words = (*SPECIAL, "good", "bad", "day")
    schema = Schema("text", (Feature("text", "text", categories=words, low=0.0, high=5.0),), size=(4,))
    weight = torch.tensor([0.0, 0.0, 0.0, 2.0, -3.0, 0.5])
    classifier = Classifier.wrap(lambda x: torch.sigmoid(weight[x].sum(1)), schema=schema, classes=("no", "yes"))
    x = schema.encode(pd.DataFrame({"text": ["good bad day"]}))
    explanation = attribute(classifier, x, "occlusion", window=2, stride=2)
    assert explanation.by_feature()[0].tolist() == pytest.approx([-0.5, -0.5, 0.5, 0.0], abs=1e-4)


def test_a_table_has_no_windows(classifier: Classifier, x: Tensor) -> None:
    assert torch.equal(attribute(classifier, x, "occlusion").attributions, attribute(classifier, x, "feature_ablation").attributions)
    with pytest.raises(NotApplicableError, match="have no order along which window=2 could slide; feature_ablation"):
        attribute(classifier, x, "occlusion", window=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 9}, "window=9 is longer than the input, which is 8 x 8"),
        ({"window": 2, "stride": 3}, "stride=3 is longer than the window, 2, and would leave out"),
    ],
)
def test_windows_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    classifier, x = images(1, 8, 8)
    with pytest.raises(NotApplicableError, match=message) as refusal:
        attribute(classifier, x, "occlusion", **options)
    assert "feature_ablation" in refusal.value.remedy


@pytest.mark.parametrize("options", [{"window": 0}, {"stride": 0}])
def test_windows_of_nothing_are_refused(options: dict[str, int]) -> None:
    classifier, x = images(1, 8, 8)
    with pytest.raises(ConfigurationError, match="must be at least 1, got 0"):
        attribute(classifier, x, "occlusion", **options)


def test_many_windows_and_rows_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, x = images(1, 8, 8)
    whole = attribute(classifier, x, "occlusion", window=3, stride=1).attributions
    monkeypatch.setattr("explain.games.mixtures._CACHED", 200)  # Three images at once.
    monkeypatch.setattr("explain.attribution.occlusion.chunk_size", lambda shape: 5)
    assert np.allclose(attribute(classifier, x, "occlusion", window=3, stride=1).attributions, whole, atol=1e-5)
