import pytest
import torch
from cases import cases
from torch import nn

from classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.schema import Feature, Schema
from explain.internals.ascent import _nearest_shares, maximise_activation
from trainer import Recipe

WEIGHTS = torch.tensor([[2.0, -1.0, 0.5, -3.0, 1.0, 0.2, -0.4, 4.0]])


def linear(schema: Schema) -> Classifier:
    module = nn.Sequential(nn.Flatten(), nn.Linear(WEIGHTS.shape[1], 1))
    with torch.no_grad():
        module[1].weight.copy_(WEIGHTS)
        module[1].bias.zero_()
    return Classifier.wrap(module, schema=schema, classes=("a", "b"))


def test_without_penalties_a_linear_unit_is_at_the_corner_of_its_weights(numbers) -> None:
    found = maximise_activation(linear(numbers(8)), "1", 0, total_variation=0.0, l2=0.0)
    assert torch.equal(found.inputs, (WEIGHTS > 0).float().expand(4, 8))
    torch.testing.assert_close(found.activations, WEIGHTS.clamp_min(0).sum().expand(4))
    assert found.activations.min() > found.starts.max()


def test_with_a_penalty_on_distance_a_linear_unit_is_where_calculus_says(numbers) -> None:
    # The slope of w.u / scale - l2 * mean((u - 1/2)^2) is 0 at u = 1/2 + d w / (2 l2 scale).
    found = maximise_activation(linear(numbers(8)), "1", 0, l2=20.0, total_variation=0.0, steps=400)
    truth = (0.5 + 8 * WEIGHTS[0] / (2 * 20.0 * found.scale)).clamp(0, 1)
    assert ((truth > 0) & (truth < 1)).any()
    torch.testing.assert_close(found.inputs, truth.expand(4, 8), atol=2e-3, rtol=0)


def test_an_input_stays_within_bounds_in_natural_units() -> None:
    features = (Feature("age", "continuous", 20.0, 60.0), Feature("home", "categorical", categories=("a", "b", "c")))
    schema = Schema("tabular", features, encoding="natural")
    module = nn.Linear(4, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[-1.0, 2.9, 3.0, 2.0]]))
    found = maximise_activation(Classifier.wrap(nn.Sequential(module), schema=schema, classes=("a", "b")), "0", 0, l2=0.0)
    torch.testing.assert_close(found.inputs, torch.tensor([20.0, 0.0, 1.0, 0.0]).expand(4, 4), atol=1e-4, rtol=0)


def test_the_nearest_shares_are_those_of_a_search() -> None:
    generator = torch.Generator().manual_seed(0)
    values = 2 * torch.randn(6, 3, generator=generator)
    found = _nearest_shares(values)
    assert torch.allclose(found.sum(-1), torch.ones(6))
    assert (found >= 0).all()
    grid = torch.cartesian_prod(torch.linspace(0, 1, 201), torch.linspace(0, 1, 201))
    grid = torch.cat([grid, 1 - grid.sum(1, keepdim=True)], 1)
    grid = grid[grid[:, 2] >= 0]
    searched = torch.cdist(values, grid).amin(1)
    assert ((found - values).norm(dim=1) <= searched + 1e-5).all()


def image_classifier() -> Classifier:
    data = cases("image", 2)
    torch.manual_seed(1)
    network = Recipe("cnn", options={"channels": (4,)}).network().build(data.schema, 2)
    return Classifier.wrap(network, schema=data.schema, classes=data.classes)


def test_total_variation_smooths_and_the_same_seed_gives_the_same() -> None:
    classifier = image_classifier()
    rough, smooth, again = (maximise_activation(classifier, "3", 2, steps=60, total_variation=tv, seed=4) for tv in (0.0, 200.0, 200.0))
    variation = [float(found.inputs.diff(dim=-1).abs().mean()) for found in (rough, smooth)]
    assert variation[1] < 0.5 * variation[0]
    assert torch.equal(smooth.inputs, again.inputs)
    assert not torch.equal(smooth.inputs, maximise_activation(classifier, "3", 2, steps=60, total_variation=200.0, seed=5).inputs)
    assert rough.activations.min() > rough.starts.max()
    assert smooth.inputs.min() >= 0
    assert smooth.inputs.max() <= 1


def test_a_tuple_names_one_number_of_a_map() -> None:
    classifier = image_classifier()
    found = maximise_activation(classifier, "3", (1, 5, 6), steps=40, total_variation=0.0, jitter=0)
    from explain.internals.activity import activations

    torch.testing.assert_close(found.activations, activations(classifier, found.inputs, "3")["3"][:, 1, 5, 6])


def test_a_unit_that_never_moves_is_said_to_be_dead(numbers) -> None:
    module = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        module[0].bias[2] = -1000.0
    with pytest.raises(ModelError, match=r"unit \(2,\) of '1' has no gradient"):
        maximise_activation(Classifier.wrap(module, schema=numbers(8), classes=("a", "b")), "1", 2, steps=5)


def test_what_there_is_not_is_refused(classifier: Classifier) -> None:
    for options, said in (({"steps": 0}, "steps must be at least 1"), ({"l2": -1.0}, "l2 must be at least 0"), ({"jitter": -1}, "jitter")):
        with pytest.raises(ConfigurationError, match=said):
            maximise_activation(classifier, "4", 0, **options)
    with pytest.raises(ConfigurationError, match=r"gives \(2,\) for an input, and has no unit 2; give a number under 2"):
        maximise_activation(classifier, "4", 2)
    data = cases("text", 2)
    network = Recipe("transformer_text", options={"width": 8, "buckets": 64}).network().build(data.schema, 2)
    with pytest.raises(NotApplicableError, match="cannot be changed by a little"):
        maximise_activation(Classifier.wrap(network, schema=data.schema, classes=data.classes), "head", 0)


def test_steps_of_a_series_are_all_observed() -> None:
    data = cases("sequence", 2)
    network = Recipe("temporal_cnn", hidden=(4,)).network().build(data.schema, 2)
    found = maximise_activation(Classifier.wrap(network, schema=data.schema, classes=data.classes), "head", 1, steps=20)
    assert (found.inputs[..., -1] == 1).all()
