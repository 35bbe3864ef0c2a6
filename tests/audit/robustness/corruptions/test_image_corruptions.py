from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from audit.robustness.corruptions import SEVERITIES, corrupt
from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._filters import blurred, streaked, zoomed
from audit.robustness.corruptions.images._plasma import plasma
from audit.robustness.corruptions.images._poisson import poisson_quantiles
from classifier import Feature, Schema
from classifier.errors import NotApplicableError

Pictures = Callable[..., tuple[Tensor, Schema]]

KINDS = CORRUPTIONS["image"].ids()
# Those whose published severities trade one kind of damage for another, so that a severer image may lie nearer.
TRADING = {"elastic_transform", "fog", "glass_blur", "frost", "snow", "pixelate"}
SIZES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 30, 41), (3, 80, 72)]


def high_frequency(x: Tensor) -> float:
    """What is left of neighbouring pixels' differences."""
    return float(x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean())


def test_the_fifteen_are_there() -> None:
    assert len(KINDS) == 15


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_stays_one_and_changes_at_every_severity(kind: str, size: tuple[int, int, int], pictures: Pictures) -> None:
    x, schema = pictures(3, *size)
    if kind == "frost" and min(size[1:]) < 28:
        with pytest.raises(NotApplicableError, match="at least 28 x 28 pixels, and the images have 8 x 8"):
            corrupt(x, schema, kind=kind, severity=1)
        return
    for severity in (1, 5):
        y = corrupt(x, schema, kind=kind, severity=severity)
        assert y.shape == x.shape
        assert y.isfinite().all()
        assert y.min() >= 0
        assert y.max() <= 1
        # Files hold whole levels.
        assert torch.allclose(y * 255, (y * 255).round(), atol=1e-3)
        assert not torch.equal(y, x)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TRADING])
@pytest.mark.parametrize("size", [(1, 28, 28), (3, 80, 72)], ids=str)
def test_the_severer_the_farther_from_the_clean_image(kind: str, size: tuple[int, int, int], pictures: Pictures) -> None:
    x, schema = pictures(6, *size)
    distances = [float((corrupt(x, schema, kind=kind, severity=s) - x).square().mean()) for s in SEVERITIES]
    assert distances == sorted(distances)
    assert distances[-1] > 1.2 * distances[0]


def test_natural_units_and_fractions_are_corrupted_as_the_unit_scale_is(pictures: Pictures) -> None:
    x, schema = pictures(2, 1, 28, 28)
    natural = Schema("image", schema.features, size=(28, 28), encoding="natural")
    fractions = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(28, 28))
    one = corrupt(x, schema, kind="contrast", severity=3)
    assert torch.allclose(corrupt(x * 255, natural, kind="contrast", severity=3), one * 255, atol=1e-3)
    exact = corrupt(x, fractions, kind="contrast", severity=3)
    mean = x.mean((2, 3), keepdim=True)
    assert torch.allclose(exact, mean + 0.4 * (x - mean), atol=1e-6)


def test_channels_without_bounds_are_refused() -> None:
    schema = Schema("image", (Feature("light", "continuous", scale=1.0),), size=(28, 28), encoding="natural")
    with pytest.raises(NotApplicableError, match="channel 'light' has no bounds"):
        corrupt(torch.rand(1, 1, 28, 28), schema, kind="fog", severity=1)


def test_gaussian_noise_has_the_published_deviation() -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(32, 32))
    x = torch.full((20, 1, 32, 32), 0.5)
    noise = corrupt(x, schema, kind="gaussian_noise", severity=3) - x
    assert float(noise.std()) == pytest.approx(0.08, rel=0.03)
    assert stats.kstest(noise.flatten().double().numpy() / 0.08, "norm").pvalue > 1e-3


def test_shot_noise_has_the_mean_of_the_light_and_its_variance() -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(32, 32))
    x = torch.full((40, 1, 32, 32), 0.4)
    y = corrupt(x, schema, kind="shot_noise", severity=5)
    assert float(y.mean()) == pytest.approx(0.4, abs=0.002)
    assert float(y.var()) == pytest.approx(0.4 / 50, rel=0.05)
    assert torch.equal(corrupt(torch.zeros_like(x), schema, kind="shot_noise", severity=5), torch.zeros_like(x))


@pytest.mark.parametrize("mean", [0.0, 0.3, 3.0, 9.9, 10.1, 60.0, 500.0])
def test_poisson_numbers_are_the_quantiles_that_scipy_gives(mean: float) -> None:
    uniform = torch.from_numpy((np.arange(4000) + 0.5) / 4000)
    found = poisson_quantiles(uniform, torch.full_like(uniform, mean)).numpy()
    right = stats.poisson.ppf(uniform.numpy(), mean).clip(min=0)
    assert np.abs(found - right).max() <= 1
    assert (found != right).mean() <= 0.002


def test_impulses_are_as_many_as_published_and_black_or_white() -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(32, 32))
    y = corrupt(torch.full((20, 1, 32, 32), 0.5), schema, kind="impulse_noise", severity=5)
    black, white = float((y == 0).float().mean()), float((y == 1).float().mean())
    assert black + white == pytest.approx(0.07, rel=0.1)
    assert black == pytest.approx(white, rel=0.25)
    assert float((y == 0.5).float().mean()) == pytest.approx(1 - black - white)


@pytest.mark.parametrize("kind", ["defocus_blur", "motion_blur", "zoom_blur", "jpeg_compression"])
def test_what_blurs_takes_the_fine_detail(kind: str, pictures: Pictures) -> None:
    x, schema = pictures(8, 3, 80, 72)
    noisy = (x + 0.2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert high_frequency(corrupt(noisy, schema, kind=kind, severity=5)) < 0.7 * high_frequency(noisy)


def test_a_pixelated_image_has_one_colour_a_cell() -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(80, 80))
    x = torch.rand(1, 1, 80, 80, generator=torch.Generator().manual_seed(0))
    y = corrupt(x, schema, kind="pixelate", severity=5)
    cells = x.reshape(20, 4, 20, 4).mean((1, 3))
    assert torch.allclose(y[0, 0], cells.repeat_interleave(4, 0).repeat_interleave(4, 1), atol=1e-6)


def test_motion_blurs_along_its_direction_alone() -> None:
    x = torch.zeros(2, 1, 21, 21)
    x[:, :, 10, 10] = 1.0
    across, down = streaked(x, torch.tensor([0.0, torch.pi / 2]), steps=9, sigma=3.0, step=1.0)
    assert torch.allclose(down[0], across[0].T, atol=1e-5)
    assert float(across[0, 10].sum()) == pytest.approx(1.0, abs=1e-4)
    assert int((across[0, 10] > 1e-3).sum()) == 9


def test_a_gaussian_blur_adds_its_variance_and_keeps_the_light() -> None:
    x = torch.zeros(1, 1, 41, 41)
    x[..., 20, 20] = 1.0
    y = blurred(x, 2.0)[0, 0]
    places = torch.arange(41) - 20.0
    assert float(y.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float((y.sum(1) * places**2).sum()) == pytest.approx(4.0, rel=0.01)
    assert torch.allclose(blurred(torch.ones(1, 1, 5, 7), 30.0, beyond="reflection"), torch.ones(1, 1, 5, 7), atol=1e-5)


def test_zooming_doubles_lengths_about_the_middle() -> None:
    x = torch.zeros(1, 1, 32, 32)
    x[..., 12:20, 12:20] = 1.0
    assert float(zoomed(x, 2.0).sum()) == pytest.approx(4 * float(x.sum()), rel=0.01)
    assert torch.allclose(zoomed(x, 1.0), x, atol=1e-4)


@pytest.mark.parametrize(("channels", "height"), [(1, 28), (3, 32)])
def test_brightness_adds_light_and_keeps_the_hue(channels: int, height: int, pictures: Pictures) -> None:
    x, schema = pictures(4, channels, height, height, kind="continuous")
    y = corrupt(x, schema, kind="brightness", severity=3)
    value = x.amax(1, keepdim=True)
    assert torch.allclose(y.amax(1, keepdim=True), (value + 0.15).clamp_max(1), atol=1e-6)
    lit = (value > 0).expand_as(x)
    assert torch.allclose((y * value)[lit], (x * y.amax(1, keepdim=True))[lit], atol=1e-5)


def test_contrast_shrinks_the_deviation_as_published_and_keeps_the_mean(pictures: Pictures) -> None:
    x, schema = pictures(4, 3, 32, 32, kind="continuous")
    y = corrupt(x, schema, kind="contrast", severity=5)
    assert torch.allclose(y.std((2, 3)), 0.15 * x.std((2, 3)), atol=1e-5)
    assert torch.allclose(y.mean((2, 3)), x.mean((2, 3)), atol=1e-5)


@pytest.mark.parametrize("kind", ["fog", "frost", "snow"])
def test_weather_lays_light_over_the_dark_and_differs_from_image_to_image(kind: str) -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(28, 28))
    x = torch.zeros(4, 1, 28, 28)
    x[..., 10:18, 10:18] = 0.8
    y = corrupt(x, schema, kind=kind, severity=5)
    assert float(y[..., :8, :8].mean()) > 0.05
    assert not torch.allclose(y[0], y[1], atol=0.05)


def test_fog_leaves_the_brightest_no_brighter(pictures: Pictures) -> None:
    x, schema = pictures(5, 3, 32, 32, kind="continuous")
    y = corrupt(0.6 * x, schema, kind="fog", severity=5)
    assert (y.amax((1, 2, 3)) <= 0.6 * x.amax((1, 2, 3)) + 1e-6).all()


def test_clouds_reach_from_0_to_1_and_are_smoother_the_faster_they_decay() -> None:
    noise = torch.rand(5, 64, 64, generator=torch.Generator().manual_seed(1))
    rough, smooth = plasma(noise, 1.3), plasma(noise, 3.0)
    for clouds in (rough, smooth):
        assert torch.equal(clouds.amin((1, 2)), torch.zeros(5))
        assert torch.allclose(clouds.amax((1, 2)), torch.ones(5))
    assert high_frequency(smooth[:, None]) < 0.2 * high_frequency(rough[:, None])


def test_glass_shows_only_values_that_were_near(pictures: Pictures) -> None:
    x, schema = pictures(2, 1, 28, 28)
    y = corrupt(x, schema, kind="glass_blur", severity=1)
    near = torch.nn.functional.unfold(torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3).reshape(2, 9, 28, 28)
    assert ((y - near).abs().amin(1) < 1 / 255).all()


def test_an_elastic_image_of_one_colour_stays_so(pictures: Pictures) -> None:
    _, schema = pictures(1, 1, 28, 28)
    x = torch.full((3, 1, 28, 28), 0.6)
    for severity in SEVERITIES:
        assert torch.allclose(corrupt(x, schema, kind="elastic_transform", severity=severity), x, atol=1e-3)


def test_an_elastic_image_is_moved_as_a_whole_first() -> None:
    schema = Schema("image", (Feature("light", "continuous", low=0.0, high=1.0),), size=(60, 60))
    ramp = (torch.arange(60.0) / 120 + 0.25)[:, None].expand(8, 1, 60, 60)
    y = corrupt(ramp, schema, kind="elastic_transform", severity=1)[:, 0, 20:40, 20:40]
    # What was straight stays straight, and the middle moves by no more than the corners of the square do.
    assert float(torch.cat([y.diff(n=2, dim=1).flatten(), y.diff(n=2, dim=2).flatten()]).abs().max()) < 1e-4
    assert float((y - ramp[:, 0, 20:40, 20:40]).abs().max()) * 120 < 2 * 0.08 * 60
    assert float(y.diff(dim=1).mean()) * 120 == pytest.approx(1.0, abs=0.2)
