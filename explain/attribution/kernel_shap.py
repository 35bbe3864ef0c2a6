"""Shapley values by weighted least squares (Lundberg & Lee, 2017, arXiv:1705.07874; Covert & Lee, 2021, arXiv:2012.01536)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.games.coalition_design import Design, jackknife_error
from explain.games.coalitions import Game, Shares, play
from explain.method import METHODS, Method, Scores, Task


@METHODS.register
@dataclass(frozen=True, kw_only=True)
class KernelSHAP(Method):
    """Fit an additive game to the values of coalitions, weighted by the Shapley kernel.

    One matrix of coalitions serves all inputs, so that all are solved at once. Coalitions come in pairs
    of one and its complement. Sizes are enumerated from the outside in while the budget allows, and
    sampled in proportion to their weight from there on. Complete to rounding; exact, and marked so,
    where all coalitions fit into the budget.

    Standard errors come from a jackknife over groups of sampled pairs. They take no credit for pairs being
    drawn without replacement, so they err on the large side where most of the coalitions are evaluated.

    Args:
        samples: Coalitions evaluated for each input and background row, besides the empty and the full one.
    """

    spelling: ClassVar[str] = "KernelSHAP"
    takes_background: ClassVar[bool] = True

    samples: int = 512

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ConfigurationError(f"samples must be at least 2, got {self.samples}")

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        reason = super().obstacle(classifier, rows=rows, background=background, players=players)
        return reason or self._too_few(len(modality_of(classifier.schema).players) if players is None else players)

    def __call__(self, task: Task, seed: Seed) -> Scores:
        return play(task, lambda game: self._divide(game, seed))

    def _divide(self, game: Game, seed: Seed) -> Shares:
        if reason := self._too_few(len(game.players)):
            raise NotApplicableError(f"kernel_shap does not apply: {reason}")
        design = Design.draw(len(game.players), self.samples, seed)
        values = game.values(design.with_ends)
        fitted, replicates = design.shapley(values)
        return Shares(fitted, values[:, 0], jackknife_error(fitted, replicates))

    def _too_few(self, players: int) -> str:
        enough = min(2**players - 2, 4 * players)
        return f"{players} players need samples={enough} or more, got {self.samples}" if self.samples < enough else ""
