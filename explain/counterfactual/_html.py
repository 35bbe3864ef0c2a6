"""How counterfactuals show themselves in a notebook: tables of differences, without scripts or files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from explain.counterfactual.differences import differences_of
from explain.counterfactual.wording import TABLE

if TYPE_CHECKING:
    from explain.counterfactual.result import Counterfactuals

_INPUTS = 3


def counterfactuals_html(result: Counterfactuals) -> str:
    """What changes, from what to what, in each counterfactual of the first inputs."""
    tables = [_table(result[row]) for row in range(min(len(result), _INPUTS))]
    hidden = len(result) - len(tables)
    more = f"<p><small>{hidden} other inputs not shown: to_frame() has them all</small></p>" if hidden else ""
    return "".join(tables) + more


def _table(one: Counterfactuals) -> str:
    shown, words = differences_of(one, "en", None), TABLE["en"]
    head = "".join(f"<th>{escape(text)}</th>" for text in ("", words["now"], *(case.head for case in shown.cases)))
    body = "".join(
        f'<tr><td style="text-align:left">{escape(player)}</td><td>{escape(now)}</td>'
        + "".join(
            f"<td>{'<b>' + escape(case.cells[row]) + '</b>' if case.marked[row] else escape(case.cells[row])}</td>" for case in shown.cases
        )
        + "</tr>"
        for row, (player, now) in enumerate(zip(shown.players, shown.now, strict=True))
    )
    foot = _line(words["decided"], [shown.decided, *(case.decided for case in shown.cases)])
    foot += _line("probability", ["", *(f"{case.target}: {case.probability}, now {case.before}" for case in shown.cases)])
    return (
        f"<table><caption>{escape(shown.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
        f"<p><small>{escape(' '.join(shown.remarks))}</small></p>"
    )


def _line(name: str, values: list[str]) -> str:
    return f'<tr><td style="text-align:left">{escape(name)}</td>' + "".join(f"<td>{escape(value)}</td>" for value in values) + "</tr>"
