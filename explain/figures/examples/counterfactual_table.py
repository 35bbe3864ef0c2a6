"""Counterfactual table: what differs, from what to what, in each counterfactual of one input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError
from explain.counterfactual.differences import differences_of
from explain.counterfactual.wording import TABLE, Language, spaced
from explain.figures._picture import picture
from explain.figures._style import LOWERS, NEUTRAL, RAISES, write_notes
from explain.figures.examples._table import Column, draw_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.counterfactual.result import Counterfactuals


@picture
def draw_counterfactuals(
    result: Counterfactuals, *, ax: Axes | None = None, language: Language = "en", names: Mapping[str, str] | None = None
) -> Axes:
    """Draw the features that change in any counterfactual of one input, beside what they are now.

    A cell that differs from now is marked, and one that stays is a dot. Above stand the decision and the
    probability of the class that was asked for.

    Args:
        result: The counterfactuals of one input.
        ax: Where to draw; a new figure that fits where there is none.
        language: ``"en"`` or ``"zh-CN"``.
        names: What to call features, classes and categories; what is not named keeps its own name.

    Raises:
        ConfigurationError: If there are several inputs, or no wording in the language.
    """
    if len(result) != 1:
        raise ConfigurationError(f"a table shows one input, got {len(result)}", remedy="choose one, as in result[0].plot()")
    table = differences_of(result, language, names)
    words, first = TABLE[language], table.cases[0]
    columns = [Column(_head(words, words["now"], table.decided, first.target, first.before), table.now, NEUTRAL)]
    for case in table.cases:
        head = _head(words, case.head, case.decided, case.target, case.probability)
        columns.append(Column(head, case.cells, LOWERS if case.succeeds else RAISES, case.marked))
    ax = draw_columns(table.players, columns, title=spaced(table.title), gaps=(1,), ax=ax)
    write_notes(ax, map(spaced, table.remarks))
    return ax


def _head(words: Mapping[str, str], head: str, decided: str, target: str, said: str) -> tuple[str, ...]:
    """What stands above a column: what it is, the probability, the decision."""
    return head, f"p({target}) {said if said[0] in '<>' else f'= {said}'}", f"{words['decided']} {decided}"
