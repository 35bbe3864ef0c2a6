"""Shapley values of an ensemble of trees, with SHAP's explainer (Lundberg et al., 2020, doi:10.1038/s42256-019-0138-9, algorithm 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from classifier.progress import progress_bar
from classifier.seeds import Seed
from classifier.trees import Trees
from explain.games.coalitions import spread_over_elements
from explain.method import METHODS, Method, Scores, Task
from explain.output import Kind

# Background rows that SHAP gets at once: by itself it would take 100 of them and leave out the others.
_AT_ONCE = 100
# How far the contributions may miss the classifier's output: trees are kept in double precision and answers in single.
_ALIKE = 1e-3


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class TreeSHAP(Method):
    """Follow each input and each background row down the trees, and count what the features at each branching decide.

    Exact Shapley values of the interventional game, in a time that grows with the trees' leaves and not with
    2^features. Of boosted trees with two classes the log-odds are divided, of a tree or a forest the probability, since
    these are what the trees add up. (SHAP's own probabilities of boosted trees are log-odds that were rescaled, and no
    Shapley values.) The sum is compared with the classifier's own output, so that trees which are read wrongly are refused.
    """

    spelling: ClassVar[str] = "TreeSHAP"
    takes_background: ClassVar[bool] = True
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular"})
    outputs: ClassVar[frozenset[Kind]] = frozenset({"log_odds", "probability"})

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        reason = super().obstacle(classifier, rows=rows, background=background, players=players)
        if reason:
            return reason
        if classifier.trees is None:
            return "it reads an ensemble of trees that takes the features themselves, and this classifier holds none"
        owners = classifier.trees.owners
        several = sorted({name for name in owners if owners.count(name) > 1})
        if several:
            return f"it takes each column of the trees for a player, and they take several of {several[0]}"
        return ""

    def __call__(self, task: Task, seed: Seed) -> Scores:
        trees = task.classifier.trees
        assert trees is not None
        answers = task.output(task.x, task.target).to("cpu", torch.float64)
        try:
            values, base_value = _divided(task, trees)
        # SHAP has a type of error for each thing that it cannot read, and some of them are plain exceptions.
        except Exception as error:
            raise _unread(task, trees, str(error).split(". ")[0]) from error
        gap = (values.sum(1) + base_value - answers).abs()
        if (gap > _ALIKE * (1 + answers.abs())).any():
            raise _unread(task, trees, f"what it finds misses the {task.output.kind} by up to {float(gap.max()):.2g}")
        return Scores(spread_over_elements(task, _by_player(task, trees, values)), base_value, exact=True)


def _unread(task: Task, trees: Trees, reason: str) -> NotApplicableError:
    other = "log_odds" if task.output.kind == "probability" else "probability"
    return NotApplicableError(
        f"tree_shap cannot divide the {task.output.kind} of a {type(trees.model).__name__}: {reason}",
        remedy=f'exact_shapley and kernel_shap need answers alone; or try output="{other}"',
    )


def _divided(task: Task, trees: Trees) -> tuple[Tensor, Tensor]:
    """What each column of the trees contributes ``(N, M)``, and the mean over the background ``(N,)``."""
    from shap import TreeExplainer
    from shap.maskers import Independent

    x, background = trees.columns(task.x.cpu()), trees.columns(task.baseline.cpu())
    number = torch.tensor(trees.order)[task.target.cpu()].numpy()
    total, base = np.zeros(x.shape), np.zeros(len(x))
    parts = np.split(background, range(_AT_ONCE, len(background), _AT_ONCE))
    with progress_bar("background", len(parts)) as advance:
        for part in parts:
            masker = Independent(part, max_samples=len(part))
            explainer = TreeExplainer(trees.model, masker, feature_perturbation="interventional")
            values = np.asarray(explainer.shap_values(x, check_additivity=False), dtype=np.float64)
            chosen, expected = _of_class(values, np.atleast_1d(explainer.expected_value), number, task.output.kind)
            total += chosen * len(part) / len(background)
            base += expected * len(part) / len(background)
            advance("")
    return torch.from_numpy(total), torch.from_numpy(base)


def _of_class(
    values: NDArray[np.float64], expected: NDArray[Any], number: NDArray[np.int64], kind: Kind
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The contributions to each row's class ``(N, M)`` and their start ``(N,)``, of outputs for each class or for the second of two."""
    rows = np.arange(len(values))
    if values.ndim == 3:
        return values[rows, :, number], expected[number]
    sign = np.where(number == 1, 1.0, -1.0)
    start = expected[0] if kind == "log_odds" else np.where(number == 1, expected[0], expected[0] - 1)
    return sign[:, None] * values, sign * start


def _by_player(task: Task, trees: Trees, values: Tensor) -> Tensor:
    """Contributions of the trees' columns as those of players ``(N, P)``; a feature that no column is of gets nothing."""
    players = task.modality.players
    laid = torch.zeros(len(values), len(players), dtype=values.dtype)
    laid[:, [players.index(name) for name in trees.owners]] = values
    return laid
