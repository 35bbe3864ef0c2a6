"""Gradient methods agree with Captum, with closed forms and with themselves, and refuse what has no gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, NotApplicableError
from classifier.schema import Feature, Schema
from explain import attribute
from explain.gradients.continuum import Continuum
from explain.method import METHODS, Task
from explain.output import Output

Network = Callable[..., nn.Module]
GRADIENTS = ("saliency", "input_x_gradient", "integrated_gradients", "exact_integrated_gradients", "smooth_grad", "expected_gradients")
IMAGE = Schema("image", (Feature("gray", "continuous", 0.0, 1.0),), size=(8, 8))


@pytest.fixture(scope="module")
def smooth(numbers: Callable[[int], Schema]) -> Classifier:
    """Three classes, eight numbers, no corners: what is sampled has errors that shrink at a known pace."""
    torch.manual_seed(5)
    module = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    return Classifier.wrap(module, schema=numbers(8), classes=("a", "b", "c"))


@pytest.fixture(scope="module")
def images() -> Classifier:
    torch.manual_seed(6)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    )
    return Classifier.wrap(module, schema=IMAGE, classes=("a", "b", "c"))


def test_saliency_and_input_x_gradient_equal_captums(ten_classes: Classifier, x: Tensor) -> None:
    from captum.attr import InputXGradient, Saliency

    target = ten_classes.predict(x)
    for method, engine in (("saliency", Saliency), ("input_x_gradient", InputXGradient)):
        theirs = engine(ten_classes.module).attribute(x.clone().requires_grad_(), target=target)
        assert torch.allclose(attribute(ten_classes, x, method).attributions.float(), theirs, atol=1e-6), method


@pytest.mark.parametrize("steps", [1, 7, 50])
def test_integrated_gradients_of_images_equal_captums(steps: int, images: Classifier) -> None:
    from captum.attr import IntegratedGradients

    x, baseline = torch.rand(5, 1, 8, 8), torch.full((1, 8, 8), 0.25)
    ours = attribute(images, x, "integrated_gradients", steps=steps, baseline=baseline, target=2).attributions
    theirs = IntegratedGradients(images.module).attribute(x, baseline[None], target=2, n_steps=steps)
    assert torch.allclose(ours.float(), theirs, atol=1e-6)


def test_gradients_are_complete_where_the_first_layers_write_over_what_they_get(numbers: Callable[[int], Schema]) -> None:
    torch.manual_seed(7)
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 2))
    classifier = Classifier.wrap(module, schema=numbers(8), classes=("no", "yes"))
    x = torch.rand(3, 8)
    before = x.clone()
    for method in ("integrated_gradients", "expected_gradients"):
        assert attribute(classifier, x, method).completeness_error.max() < 0.02
    assert torch.equal(x, before)


def test_a_layer_with_a_hook_is_run_at_every_point(classifier: Classifier, x: Tensor) -> None:
    watched = Classifier.wrap(classifier.module, schema=classifier.schema, classes=classifier.classes)
    assert isinstance(watched.module, nn.Sequential)
    handle = watched.module[0].register_forward_hook(lambda layer, inputs, output: torch.tanh(output))
    changed = attribute(watched, x, "integrated_gradients", steps=500)
    assert changed.completeness_error.max() < 0.02
    handle.remove()
    assert not torch.allclose(changed.attributions, attribute(watched, x, "integrated_gradients").attributions, atol=0.01)


def test_smooth_grad_of_a_quadratic_is_its_gradient(numbers: Callable[[int], Schema]) -> None:
    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            value = (x * x).sum(1) + 3 * x[:, 0] * x[:, 1]
            return torch.stack([torch.zeros_like(value), value], 1)

    x = torch.rand(4, 8)
    explanation = attribute(Classifier.wrap(Quadratic(), schema=numbers(8), classes=("no", "yes")), x, "smooth_grad", noise=0.5)
    truth = 2 * x
    truth[:, :2] += 3 * x[:, [1, 0]]
    # Noise comes in pairs of opposite sign, so that a linear gradient has no error.
    assert torch.allclose(explanation.attributions.float(), truth, atol=1e-5)
    assert explanation.standard_error is not None
    assert explanation.standard_error.max() < 1e-5


def test_smooth_grad_agrees_with_captums_noise_tunnel(smooth: Classifier, x: Tensor) -> None:
    from captum.attr import NoiseTunnel, Saliency

    ours = attribute(smooth, x, "smooth_grad", samples=4000, noise=0.4, target=1)
    torch.manual_seed(0)
    tunnel = NoiseTunnel(Saliency(smooth.module))
    theirs = tunnel.attribute(x, nt_type="smoothgrad", nt_samples=8000, stdevs=0.4, target=1, abs=False, nt_samples_batch_size=500)
    assert ours.standard_error is not None
    # Theirs draws single samples, twice as many; where pairs help, its error is larger than ours.
    spread = torch.stack([attribute(smooth, x, "smooth_grad", samples=4, noise=0.4, target=1, seed=s).attributions for s in range(40)])
    error = (spread.var(0) * 4 / 8000 + ours.standard_error**2).sqrt() + 2e-3
    assert ((ours.attributions - theirs.double()).abs() <= 5 * error).all()
    plain = attribute(smooth, x, "input_x_gradient", target=1).attributions / x.double()
    assert ((ours.attributions - plain).abs() > 5 * ours.standard_error).any()


def test_noise_is_a_share_of_each_elements_unit_of_change() -> None:
    wide = Schema("tabular", (Feature("small", "continuous", 0.0, 1.0), Feature("large", "continuous", 0.0, 100.0)), encoding="natural")

    class Waves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            value = torch.sin(x[:, 0]) + torch.sin(x[:, 1] / 100)
            return torch.stack([torch.zeros_like(value), value], 1)

    x = torch.tensor([[0.5, 50.0]])
    explanation = attribute(Classifier.wrap(Waves(), schema=wide, classes=("no", "yes")), x, "smooth_grad", samples=20_000, noise=0.8)
    # The mean of cos(0.5 + noise) is cos(0.5) exp(-variance / 2), for both alike in their own units.
    truth = torch.tensor(0.5).cos() * torch.tensor(-0.32).exp()
    assert torch.allclose(explanation.attributions[0].float() * torch.tensor([1.0, 100.0]), truth.expand(2), atol=0.01)


@pytest.mark.parametrize(("rows", "samples"), [(1, 50), (7, 7), (7, 49), (7, 100), (20, 10)])
def test_draws_take_each_background_row_alike_and_spread_over_the_paths(rows: int, samples: int) -> None:
    from classifier.seeds import Seed
    from explain.attribution.expected_gradients import _Draws

    draws = _Draws.of(rows, samples, Seed(0), torch.zeros(1))
    count = len(draws.rows)
    assert count == max(rows * (samples // rows), min(rows, samples))
    assert torch.bincount(draws.rows, minlength=rows).max() == max(1, samples // rows)
    # One place in each of as many stretches as there are draws.
    assert sorted((draws.places * count).long().tolist()) == list(range(count))
    assert draws.beside.any()


def test_expected_gradients_of_one_row_are_integrated_gradients(smooth: Classifier, x: Tensor) -> None:
    baseline = torch.full((8,), 0.3)
    drawn = attribute(smooth, x, "expected_gradients", baseline=baseline, samples=2000, target=0)
    whole = attribute(smooth, x, "integrated_gradients", baseline=baseline, steps=200, target=0)
    assert torch.allclose(drawn.attributions, whole.attributions, atol=2e-4)
    assert drawn.completeness_error.max() < 2e-4


def test_expected_gradients_average_integrated_gradients_over_the_background(smooth: Classifier, x: Tensor, background: Tensor) -> None:
    truth = torch.stack(
        [attribute(smooth, x, "integrated_gradients", baseline=row, steps=100, target=0).attributions for row in background]
    ).mean(0)
    explanation = attribute(smooth, x, "expected_gradients", baseline=background, samples=7 * 200, target=0)
    assert explanation.standard_error is not None
    assert ((explanation.attributions - truth).abs() <= 5 * explanation.standard_error).all()
    assert (explanation.attributions - truth).abs().max() < 1e-3
    assert explanation.completeness_error.max() < 5e-3


@pytest.mark.parametrize("samples", [4, 14, 70])
def test_standard_errors_of_expected_gradients_are_no_less_than_the_spread_over_seeds(
    samples: int, classifier: Classifier, x: Tensor, background: Tensor
) -> None:
    runs = [attribute(classifier, x, "expected_gradients", baseline=background, samples=samples, seed=seed) for seed in range(40)]
    spread = torch.stack([run.attributions for run in runs]).std(0).square().mean().sqrt()
    told = torch.stack([run.standard_error for run in runs if run.standard_error is not None]).square().mean().sqrt()
    assert 0.85 * spread < told < 5 * spread


def test_expected_gradients_agree_with_captums_gradient_shap(smooth: Classifier, x: Tensor, background: Tensor) -> None:
    from captum.attr import GradientShap

    ours = attribute(smooth, x, "expected_gradients", baseline=background, samples=1400, target=0)
    torch.manual_seed(0)
    runs = [GradientShap(smooth.module).attribute(x, background, n_samples=400, stdevs=0.0, target=0).double() for _ in range(20)]
    theirs, error = torch.stack(runs).mean(0), torch.stack(runs).std(0) / 20**0.5
    assert ((ours.attributions - theirs).abs() <= 5 * error + 1e-3).all()


@pytest.mark.parametrize("method", ["expected_gradients", "smooth_grad"])
def test_what_is_drawn_does_not_depend_on_how_the_work_is_cut(
    method: str, smooth: Classifier, x: Tensor, background: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = background if method == "expected_gradients" else None
    whole = attribute(smooth, x, method, baseline=baseline, seed=2)
    monkeypatch.setattr("explain.gradients.continuum._CACHED", 200)
    cut = attribute(smooth, x, method, baseline=baseline, seed=2)
    assert torch.allclose(cut.attributions, whole.attributions, atol=1e-6)
    assert cut.standard_error is not None
    assert whole.standard_error is not None
    assert torch.allclose(cut.standard_error, whole.standard_error, atol=1e-8)
    other = attribute(smooth, x, method, baseline=baseline, seed=3)
    assert not torch.equal(other.attributions, whole.attributions)


def test_as_many_points_go_at_once_as_the_network_has_room_for(images: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(Output(images, "logit"), torch.rand(3, 1, 8, 8), torch.zeros(3, dtype=torch.int64), torch.zeros(1, 1, 8, 8))
    # The ReLU keeps 256 values, the Softplus and the pooling 144 each, and the last layer's choice one index.
    monkeypatch.setattr("explain.gradients.continuum._CACHED", 10 * 700)
    assert 8 <= Continuum(task).size <= 14


class Broken(nn.Module):
    """Finite outputs, and gradients that are not."""

    def forward(self, x: Tensor) -> Tensor:
        value = (x[:, 0] * 0).sqrt() + x[:, 1]
        return torch.stack([torch.zeros_like(value), value], 1)


@pytest.mark.parametrize("method", [name for name in GRADIENTS if name != "exact_integrated_gradients"])
def test_gradients_that_are_not_finite_are_refused(method: str, numbers: Callable[[int], Schema]) -> None:
    broken = Classifier.wrap(Broken(), schema=numbers(2), classes=("no", "yes"))
    with pytest.raises(ModelError, match="not finite") as refusal:
        attribute(
            broken, torch.tensor([[0.0, 0.5]]), method, baseline=torch.zeros(2), **({"noise": 1e-9} if method == "smooth_grad" else {})
        )
    assert "kernel_shap" in refusal.value.remedy


@pytest.mark.parametrize("method", GRADIENTS)
def test_a_black_box_is_refused_and_a_method_named(method: str, black_box: Classifier, x: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="gradients") as refusal:
        attribute(black_box, x, method)
    assert "kernel_shap" in refusal.value.remedy


@pytest.mark.parametrize(
    ("method", "options", "name"),
    [
        ("integrated_gradients", {"steps": 0}, "steps"),
        ("smooth_grad", {"samples": 2}, "samples"),
        ("smooth_grad", {"samples": 7}, "samples"),
        ("smooth_grad", {"noise": 0.0}, "noise"),
        ("smooth_grad", {"noise": float("nan")}, "noise"),
        ("expected_gradients", {"samples": 1}, "samples"),
    ],
)
def test_options_that_make_no_sense_are_refused(method: str, options: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        METHODS[method](**options)
