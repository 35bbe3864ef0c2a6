"""How counterfactuals show themselves in a notebook: tables of differences, without scripts or files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from explain.counterfactual.wording import TABLE, shown, words_of

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
    words = TABLE["en"]
    changes = one.changes()
    players = [one.modality.players[index] for index in one.changed.any(0).nonzero()[:, 0].tolist()]
    before = one.modality.words(one.inputs)[0]
    after = [{change.feature: change.after or words["left out"] for change in own} for own in changes]
    heads = [words[one.kind] if ok else words["closest"] for ok in one.succeeds.tolist()]
    decided = one.classes[int(one.decided[0])]
    title = words["title" if one.kind == "counterfactual" else "kept"].format(f"'{decided}'")
    if not bool(one.found[0]):
        title += f": {words['none'].format(f'{int(one.evaluations[0]):,}')}"
    head = "".join(f"<th>{escape(text)}</th>" for text in ("", words["now"], *(f"{name} {i + 1}" for i, name in enumerate(heads))))
    body = "".join(
        f'<tr><td style="text-align:left">{escape(player)}</td><td>{escape(before[player])}</td>'
        + "".join(f"<td>{'<b>' + escape(own[player]) + '</b>' if player in own else words['unchanged']}</td>" for own in after)
        + "</tr>"
        for player in players
    )
    decisions = [one.classes[index] for index in one.changed_decided.tolist()]
    foot = _line(words["decided"], [decided, *decisions])
    pairs = zip(one.probability_before.tolist(), one.probability_after.tolist(), one.target, strict=True)
    foot += _line("probability", ["", *(f"{name}: {shown(after)}, now {shown(before)}" for before, after, name in pairs)])
    return (
        f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
        f"<p><small>{words_of('en')['about']}</small></p>"
    )


def _line(name: str, values: list[str]) -> str:
    return f'<tr><td style="text-align:left">{escape(name)}</td>' + "".join(f"<td>{escape(value)}</td>" for value in values) + "</tr>"
