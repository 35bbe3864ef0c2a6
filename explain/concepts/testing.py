"""Testing with concept activation vectors, TCAV: does the output rise in a concept's direction (Kim et al., 2018, arXiv:1711.11279)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError
from classifier.seeds import Seed
from classifier.statistics import p_value, wilson
from explain.behaviour.answers import Answers
from explain.concepts.layer_values import flat_activations, output_slopes
from explain.concepts.sensitivity import ConceptSensitivity
from explain.concepts.vectors import Examples

Array = NDArray[np.float64]
# Random concepts at least, and examples that a direction needs.
_NULL, _FEWEST, _FEW = 100, 6, 20
# Parts that held-out examples are cut into.
_FOLDS = 3


def tcav(
    classifier: Classifier,
    concepts: Mapping[str, Tensor],
    random: Tensor | Sequence[Tensor],
    inputs: Tensor,
    layer: str,
    *,
    target: int | str | None = None,
    output: str = "auto",
    runs: int = 10,
    alpha: float = 0.05,
    seed: int = 0,
) -> ConceptSensitivity:
    """Measure whether the output of a class rises in the direction of concepts that are shown by examples.

    Each concept is told from `runs` random sets of its size by a logistic regression on what the layer gives, whose weights are
    its direction. `rise` is how much of the output's steepest slope lies that way, and `scores` the share of the inputs that it is
    positive for. At least 100 random sets take the concept's place, each told from as many other ones: what they give is
    what chance gives. Kim et al. judge the scores by a t-test instead, which is given too; near the output, where slopes hardly
    depend on the input, their scores are 0 or 1 for any direction.

    Args:
        classifier: One with a network.
        concepts: For each concept by its name, inputs that show it ``(n, *S)``, at least 6.
        random: Inputs that show nothing in particular, at least twice as many as a concept has; of several sets, their rows together.
        inputs: The inputs whose output is looked at ``(N, *S)``, such as those of the class.
        layer: The layer's name; see `explain.internals.layers.list_layers`.
        target: The class, as index or name; by default the event of two.
        output: ``"log_odds"`` (two classes), ``"logit"`` or ``"probability"``; ``"auto"`` as in :func:`explain.attribute`.
        runs: Random sets that each concept is told from, at least 3.
        alpha: Under which p is significant, over all concepts together.
        seed: Decides what is drawn.

    Raises:
        ConfigurationError: If a layer or class does not exist, a class must be named, there are too few examples or runs, or all random
            ones are alike.
        NotApplicableError: If the classifier is a black box.
    """
    answers = _require(classifier, concepts, target, output, runs, alpha)
    pool = random if isinstance(random, Tensor) else torch.cat(list(random))
    for name, given in concepts.items():
        if len(given) < _FEWEST or len(pool) < 2 * len(given):
            raise ConfigurationError(
                f"the concept {name!r} has {len(given)} examples and there are {len(pool)} random ones; required are at least {_FEWEST}, "
                "and twice as many random ones", remedy="give more random examples, or fewer of the concept",
            )  # fmt: skip
    different = len({example.tobytes() for example in pool.detach().cpu().numpy()})
    if different == 1:
        raise ConfigurationError(f"all {len(pool)} random examples are the same", remedy="give ones that differ")
    stream = Seed(seed, ("tcav", layer))
    shown = [flat_activations(classifier, examples, layer) for examples in concepts.values()]
    examples = Examples.of(torch.cat([flat_activations(classifier, pool, layer), *shown]))
    sizes = list(map(len, shown))
    nulls = max(_NULL, ceil(2 * len(concepts) / alpha))
    weights, accuracy = [], []
    for name, size, end in zip(concepts, sizes, len(pool) + np.cumsum(sizes), strict=True):
        mine = torch.arange(int(end) - size, int(end)).expand(runs, -1)
        generator = stream.child("told from", name).numpy()
        others = torch.from_numpy(np.stack([generator.permutation(len(pool))[:size] for _ in range(runs)]))
        accuracy.append(_accuracy(examples, mine, others))
        weights.append(examples.weights(mine, others))
    for size in dict.fromkeys(sizes):
        weights.append(_random_weights(examples, len(pool), size, nulls, runs, stream.child("random", size)))
    slopes = output_slopes(classifier, inputs, layer, target=answers.targets[0], output=answers.output.kind)
    measured = measure_rises(examples, torch.cat(weights), slopes)
    place = [list(dict.fromkeys(sizes)).index(size) for size in sizes]
    first = len(concepts) * runs
    scores, rise = (values[:first].reshape(-1, runs) for values in measured)
    null_scores, null_rise = (values[first:].reshape(-1, nulls, runs)[place] for values in measured)
    family, told = len(concepts), np.array(accuracy)
    return ConceptSensitivity(
        concepts=tuple(concepts),
        scores=scores,
        rise=rise.mean(1),
        random=null_rise.mean(2),
        accuracy=told,
        accuracy_low=np.array([wilson(round(2 * size * share), 2 * size)[0] for share, size in zip(told, sizes, strict=True)]),
        p=np.minimum(1, family * np.array([_rank(own, random) for own, random in zip(rise.mean(1), null_rise.mean(2), strict=True)])),
        p_t_test=np.minimum(1, family * np.array([_t_test(own, random[:, 0]) for own, random in zip(scores, null_scores, strict=True)])),
        alpha=alpha,
        layer=layer,
        target=answers.classes[0],
        unit=answers.unit,
        inputs=len(inputs),
        seed=seed,
        notes=tuple(_notes(concepts, sizes, len(pool), different)),
        classifier_digest=classifier.digest,
    )


def measure_rises(examples: Examples, weights: Tensor, slopes: Iterator[Tensor]) -> tuple[Array, Array]:
    """For each direction the share of inputs whose output rises, and the mean rise as a share of the steepest ``(B,)`` each."""
    count, steepest = 0, 0.0
    positive, total = (torch.zeros(len(weights), dtype=torch.float64, device=weights.device) for _ in range(2))
    for some in slopes:
        rise = examples.along(some, weights)
        positive += (rise > 0).double().sum(0)
        total += rise.sum(0)
        steepest += float(some.double().norm(dim=1).sum())
        count += len(some)
    return (positive / count).cpu().numpy(), (total / (steepest or 1.0)).cpu().numpy()


def _random_weights(examples: Examples, pool: int, size: int, concepts: int, runs: int, seed: Seed) -> Tensor:
    """The weights of random concepts, each told from as many sets of other random examples ``(concepts x runs, R)``."""
    generator = seed.numpy()
    own, others = [], []
    for _ in range(concepts):
        order = generator.permutation(pool)
        for _ in range(runs):
            own.append(order[:size])
            others.append(order[size:][generator.permutation(pool - size)[:size]])
    return examples.weights(torch.from_numpy(np.stack(own)), torch.from_numpy(np.stack(others)))


def _accuracy(examples: Examples, own: Tensor, others: Tensor) -> float:
    """The share of held-out examples that regressions on the rest tell rightly; each run holds out another third."""
    size, right, count = own.shape[1], 0.0, 0
    for fold in range(_FOLDS):
        held = torch.arange(size) % _FOLDS == fold
        mine, theirs = own[fold::_FOLDS], others[fold::_FOLDS]
        weights = examples.weights(mine[:, ~held], theirs[:, ~held])
        right += float((examples.log_odds(weights, mine[:, held]) > 0).sum() + (examples.log_odds(weights, theirs[:, held]) <= 0).sum())
        count += 2 * int(held.sum()) * len(mine)
    return right / count


def _rank(score: float, random: Array) -> float:
    """The chance of a random concept to score as far from their mean."""
    middle = random.mean()
    return p_value(abs(score - middle), np.abs(random - middle))


def _t_test(scores: Array, random: Array) -> float:
    """The two-sided p-value of Welch's t-test; of scores that do not vary at all, whether they differ."""
    from scipy.stats import t

    parts = np.array([values.var(ddof=1) / len(values) for values in (scores, random)])
    difference = abs(float(scores.mean() - random.mean()))
    if parts.sum() < 1e-24:
        return 1.0 if difference < 1e-12 else 0.0
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([len(scores), len(random)]) - 1)).sum()
    return float(2 * t.sf(difference / np.sqrt(parts.sum()), freedom))


def _notes(concepts: Mapping[str, Tensor], sizes: list[int], pool: int, different: int) -> list[str]:
    few = [f"{name} ({size})" for name, size in zip(concepts, sizes, strict=True) if size < _FEW]
    notes = [f"few examples, from which a direction is hard to tell: {', '.join(few)}"] if few else []
    if different < 2 * max(sizes):
        notes.append(f"only {different} of {pool} random examples are different, so p rests on few")
    return notes


def _require(
    classifier: Classifier, concepts: Mapping[str, Tensor], target: int | str | None, output: str, runs: int, alpha: float
) -> Answers:
    if not concepts:
        raise ConfigurationError("there is no concept", remedy='give examples by name, as in {"striped": inputs}')
    if runs < _FOLDS:
        raise ConfigurationError(f"runs must be at least {_FOLDS}, got {runs}")
    if not 0 < alpha < 1:
        raise ConfigurationError(f"alpha must lie between 0 and 1, got {alpha}")
    answers = Answers.of(classifier, output, target)
    if len(answers.targets) > 1:
        raise ConfigurationError(
            f"a sensitivity is of one class, and the classifier has {len(classifier.classes)}",
            remedy=f"name one, as in target={classifier.classes[0]!r}",
        )
    return answers
