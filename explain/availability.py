"""Availability: which methods hold for a classifier, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from explain.method import METHODS, Method


@dataclass(frozen=True)
class Availability:
    """Whether a method holds.

    Args:
        method: Its id.
        applies: Whether it does.
        reason: Why it does not; empty where it does.
    """

    method: str
    applies: bool
    reason: str


def available(classifier: Classifier, *, rows: int = 1, background: int = 1) -> tuple[Availability, ...]:
    """Ask every method, with its default options, whether it holds for a classifier.

    Args:
        classifier: What is to be explained.
        rows: How many inputs are.
        background: How many rows they are compared with.
    """
    obstacles = {name: METHODS[name]().obstacle(classifier, rows=rows, background=background) for name in METHODS}
    return tuple(Availability(name, not reason, reason) for name, reason in obstacles.items())


def choose_method(classifier: Classifier, *, rows: int, background: int) -> str:
    """The method that ``"auto"`` stands for.

    Exact Shapley values where enumeration is affordable. Else, against one baseline, integrated gradients,
    or permutations for a black box; against a background, kernel SHAP.
    """
    estimates = ("kernel_shap", "permutation_shap") if background > 1 else ("integrated_gradients", "permutation_shap")
    usable = {entry.method for entry in available(classifier, rows=rows, background=background) if entry.applies}
    return next(name for name in ("exact_shapley", *estimates) if name in usable)


def require_applicable(name: str, method: Method, classifier: Classifier, *, rows: int, background: int) -> None:
    """Refuse a method that does not hold, and name those that do.

    Raises:
        NotApplicableError: If it does not hold for this classifier and this much work.
    """
    obstacle = method.obstacle(classifier, rows=rows, background=background)
    if obstacle:
        others = [entry.method for entry in available(classifier, rows=rows, background=background) if entry.applies]
        raise NotApplicableError(f"{name} does not apply: {obstacle}", remedy=f"these do: {', '.join(others)}")
