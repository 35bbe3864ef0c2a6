"""Counterfactual table: what differs, from what to what, in each counterfactual of one input."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError
from explain.counterfactual.wording import TABLE, Language, shown, spaced, words_of
from explain.figures._style import INK, LOWERS, NEUTRAL, RAISES, font_families
from explain.figures.examples._table import Column, draw_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.counterfactual.result import Counterfactuals

# Letters of a title's line: a table of two columns, which is the least there is, holds so many.
_TITLE = 58


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
    quote, words, called = words_of(language)["quote"], TABLE[language], dict(names or {})

    def name(text: str) -> str:
        return called.get(text, text)

    players = [result.modality.players[index] for index in result.changed.any(0).nonzero()[:, 0].tolist()]
    now = result.modality.words(result.inputs)[0]
    target, decided = result.target[0], result.classes[int(result.decided[0])]
    before = float(result.predictions[0, result.classes.index(target)])
    columns = [Column(_head(words, words["now"], name(decided), name(target), before), [name(now[player]) for player in players], NEUTRAL)]
    for number, changes in enumerate(result.changes()):
        after = {change.feature: name(change.after) or words["left out"] for change in changes}
        good = bool(result.succeeds[number])
        head = words[result.kind if good else "closest"]
        head = f"{head} {number + 1}" if len(result.row) > 1 else head
        reached = result.classes[int(result.changed_decided[number])]
        cells = [after.get(player, words["unchanged"]) for player in players]
        columns.append(
            Column(
                _head(words, head, name(reached), name(result.target[number]), float(result.probability_after[number])),
                cells,
                (LOWERS if good else RAISES),
                [player in after for player in players],
            )
        )
    title = words["title" if result.kind == "counterfactual" else "kept"].format(quote.format(name(decided)))
    if not bool(result.found[0]):
        title = f"{title}{words['colon']}{words['none'].format(f'{int(result.evaluations[0]):,}')}"
    ax = draw_columns([name(player) for player in players], columns, title="", gaps=(1,), ax=ax)
    ax.set_title(fill(spaced(title), _TITLE), loc="left", fontsize="medium", fontfamily=font_families())
    ax.text(0, ax.get_ylim()[0] + 0.2, words_of(language)["about"], va="top", fontsize="small", color=INK, fontfamily=font_families())
    return ax


def _head(words: Mapping[str, str], head: str, decided: str, target: str, probability: float) -> tuple[str, ...]:
    """What stands above a column: what it is, the probability, the decision."""
    said = shown(probability)
    return head, f"p({target}) {said if said[0] in '<>' else f'= {said}'}", f"{words['decided']} {decided}"
