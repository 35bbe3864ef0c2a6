"""LIME: the same regression as scikit-learn's and Captum's, its closed form, and standard errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import Lime
from sklearn.linear_model import LinearRegression, Ridge
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain import attribute, available
from explain.attribution.lime import LIME, _regress
from explain.games.coalitions import coalition_values
from explain.method import Task
from explain.output import Output

PLAYERS = 8
SEED = Seed(0, ("explain", "lime"))


def design(options: LIME) -> tuple[Tensor, Tensor]:
    """The coalitions that a call with seed 0 draws, and their kernel, from the distance as the paper has it."""
    present = options._coalitions(PLAYERS, SEED)
    distance = torch.linalg.vector_norm(1 - present.double(), dim=1)
    width = options.kernel_width or 0.75 * PLAYERS**0.5
    return present, torch.exp(-(distance**2) / (2 * width**2))


def banzhaf(task: Task, keep: float) -> Tensor:
    """What each player adds on average when every other one is in with probability `keep` ``(N, P)``."""
    numbers = torch.arange(2**PLAYERS)
    present = (numbers[:, None] >> torch.arange(PLAYERS)) & 1 == 1
    values = coalition_values(task, present)
    effects = []
    for i in range(PLAYERS):
        inside = present[:, i]
        others = present[:, [j for j in range(PLAYERS) if j != i]]
        chance = torch.where(others, keep, 1 - keep).double().prod(1)
        effects.append((values[:, inside] * chance[inside]).sum(1) - (values[:, ~inside] * chance[~inside]).sum(1))
    return torch.stack(effects, 1)


def task(classifier: Classifier, x: Tensor, background: Tensor) -> Task:
    return Task(Output.of(classifier, "auto"), x, torch.ones(len(x), dtype=torch.int64), background)


@pytest.mark.parametrize("options", [LIME(samples=100), LIME(samples=200, kernel_width=1.2), LIME(samples=150, ridge=0.7)])
def test_it_is_scikit_learns_weighted_regression(classifier: Classifier, x: Tensor, background: Tensor, options: LIME) -> None:
    present, weight = design(options)
    values = coalition_values(task(classifier, x, background), present).numpy()
    model = Ridge(alpha=options.ridge) if options.ridge else LinearRegression()
    truth = [model.fit(present.double().numpy(), row, sample_weight=weight.numpy()).coef_.copy() for row in values]
    ours = attribute(
        classifier,
        x,
        "lime",
        baseline=background,
        samples=options.samples,
        kernel_width=options.kernel_width,
        ridge=options.ridge,
    )
    assert ours.by_feature().numpy() == pytest.approx(np.stack(truth), abs=1e-5)
    assert not ours.exact


def test_it_is_captums_on_the_same_coalitions(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    present, weight = design(LIME(samples=120, kernel_width=1.5))
    ours = attribute(classifier, x, "lime", baseline=background[0], samples=120, kernel_width=1.5).attributions
    for row, scores in zip(x[:2], ours[:2], strict=True):
        draws, weights = iter(present.float()), iter(weight.float())
        engine = Lime(
            lambda z: classifier.logits(z)[:, 1] - classifier.logits(z)[:, 0],
            interpretable_model=SkLearnLinearRegression(),
            similarity_func=lambda *_, weights=weights, **__: next(weights),
            perturb_func=lambda *_, draws=draws, **__: next(draws)[None],
        )
        theirs = engine.attribute(row[None], baselines=background[:1], n_samples=120)
        assert torch.allclose(scores.float(), theirs[0], atol=1e-4)


@pytest.mark.parametrize("width", [None, 0.8])
def test_where_all_coalitions_fit_each_player_gets_what_it_adds_on_average(
    classifier: Classifier, x: Tensor, background: Tensor, width: float | None
) -> None:
    """The kernel of the Euclidean distance is a product, so that players are as good as independent."""
    explanation = attribute(classifier, x, "lime", baseline=background, kernel_width=width)
    out = np.exp(-1 / (2 * (width or 0.75 * PLAYERS**0.5) ** 2))
    assert torch.allclose(explanation.by_feature(), banzhaf(task(classifier, x, background), 1 / (1 + out)), atol=1e-5)
    assert explanation.exact
    assert explanation.standard_error is None


def test_standard_errors_are_those_of_the_textbook() -> None:
    """HC3 written out with whole matrices, one row at a time."""
    generator = np.random.default_rng(3)
    z, values, weight = generator.integers(0, 2, (60, 4)).astype(float), generator.normal(size=(3, 60)), generator.random(60)
    _, errors = _regress(*map(torch.from_numpy, (z, values, weight)), ridge=0.0)
    design = np.column_stack([np.ones(60), z])
    bread = np.linalg.inv(design.T @ (weight[:, None] * design))
    leverage = np.einsum("mi,ij,mj,m->m", design, bread, design, weight)
    for row, error in zip(values, errors.numpy(), strict=True):
        residual = row - design @ (bread @ design.T @ (weight * row))
        meat = design.T @ (((weight * residual / (1 - leverage)) ** 2)[:, None] * design)
        assert error == pytest.approx(np.sqrt(np.diag(bread @ meat @ bread))[1:])


def test_standard_errors_cover_what_other_seeds_give(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    baseline = background[0]
    truth = attribute(classifier, x, "lime", baseline=baseline).by_feature()
    scores = []
    for seed in range(40):
        few = attribute(classifier, x, "lime", baseline=baseline, samples=128, seed=seed)
        assert few.standard_error is not None
        scores.append((few.by_feature() - truth) / few.standard_error)
    # HC3 errs a little on the large side in small samples.
    assert 0.85 < float(torch.stack(scores).square().mean().sqrt()) < 1.1


def test_a_penalty_shrinks(classifier: Classifier, x: Tensor, background: Tensor) -> None:
    free, held = (attribute(classifier, x, "lime", baseline=background, ridge=ridge).by_feature() for ridge in (0.0, 100.0))
    assert (held.norm(dim=1) < free.norm(dim=1)).all()


def test_a_kernel_that_leaves_too_few_coalitions_is_refused(classifier: Classifier, x: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="8 players need 32 coalitions that count, and of samples=100"):
        attribute(classifier, x, "lime", samples=100, kernel_width=0.1)
    with pytest.raises(NotApplicableError, match="8 players need 32 coalitions that count"):
        attribute(classifier, x, "lime", samples=30)
    assert next(entry for entry in available(classifier) if entry.method == "lime").applies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 3}, "samples must be at least 4"),
        ({"kernel_width": 0.0}, "kernel_width must be greater than 0"),
        ({"kernel_width": float("nan")}, "kernel_width of lime must be finite"),
        ({"kernel_width": float("inf")}, "kernel_width of lime must be finite"),
        ({"ridge": -1.0}, "ridge must be at least 0"),
    ],
)
def test_options_that_cannot_be_are_refused(classifier: Classifier, x: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        attribute(classifier, x, "lime", **options)
