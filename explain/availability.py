"""Availability: which methods hold for a classifier, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from classifier.classifier import Classifier
from classifier.errors import NotApplicableError
from explain.method import METHODS, Method
from explain.output import Output


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


class Availabilities(tuple[Availability, ...]):
    """Every method, as a tuple that prints as a list and shows itself in a notebook as a table."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """One line a method: its id, whether it applies, what its numbers are, and why it does not apply."""
        lines = [(entry.method, entry.applies, METHODS[entry.method].quantity, entry.reason) for entry in self]
        return pd.DataFrame(lines, columns=["method", "applies", "quantity", "reason"])

    def __str__(self) -> str:
        return "\n".join(f"{entry.method}: {'applies' if entry.applies else entry.reason}" for entry in self)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, escape=True)


def available(
    classifier: Classifier, *, rows: int = 1, background: int = 1, players: int | None = None, output: str = "auto"
) -> Availabilities:
    """Ask every method, with its default options, whether it holds for a classifier.

    No row is explained for that, and a method may still refuse those that it is given: exact integrated gradients where a
    network's code cannot be traced and bends where no layer does, deep_lift and lrp where a row misses its sum.

    Args:
        classifier: What is to be explained.
        rows: How many inputs are.
        background: How many rows they are compared with.
        players: The most that one of them has, such as the tokens of the longest text; by default as many as there can be.
        output: What is divided; see :func:`explain.attribute`.
    """
    what = Output.of(classifier, output)
    obstacles = {name: _obstacle(METHODS[name](), what, rows=rows, background=background, players=players) for name in METHODS}
    return Availabilities(Availability(name, not reason, reason) for name, reason in obstacles.items())


def usable_methods(output: Output, *, rows: int, background: int, players: int | None) -> tuple[str, ...]:
    """The methods that ``"auto"`` stands for: it takes the first, and the next where one turns out not to hold.

    Exact Shapley values where an additive network's terms or the branches of trees tell them, or enumeration is affordable. Else, against
    one baseline, integrated gradients, exact ones for a network of straight pieces, or permutations for a black box;
    against a background, kernel SHAP.
    """
    estimates = ("kernel_shap",) if background > 1 else ("exact_integrated_gradients", "integrated_gradients")
    order = ("additive_terms", "tree_shap", "exact_shapley", *estimates, "permutation_shap")
    return tuple(name for name in order if not _obstacle(METHODS[name](), output, rows=rows, background=background, players=players))


def require_applicable(name: str, method: Method, output: Output, *, rows: int, background: int, players: int | None) -> None:
    """Refuse a method that does not hold, and name those that do.

    Raises:
        NotApplicableError: If it does not hold for this classifier, this output and this much work.
    """
    obstacle = _obstacle(method, output, rows=rows, background=background, players=players)
    if obstacle:
        others = [other for other in METHODS if not _obstacle(METHODS[other](), output, rows=rows, background=background, players=players)]
        # It applies with other options than it was given, and a list that names it among the rest would puzzle.
        again = f"{name} does with its default options; " if name in others else ""
        rest = ", ".join(other for other in others if other != name)
        raise NotApplicableError(f"{name} does not apply: {obstacle}", remedy=f"{again}these do{' as well' if again else ''}: {rest}")


def _obstacle(method: Method, output: Output, *, rows: int, background: int, players: int | None) -> str:
    if output.kind not in method.outputs:
        return f"it divides {' or '.join(sorted(method.outputs))}, not {output.kind}"
    return method.obstacle(output.classifier, rows=rows, background=background, players=players)
