"""How an explanation shows itself in a notebook: a small table with bars, without scripts or files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import torch

from explain.figures._style import LOWERS, RAISES, shorten, signed

if TYPE_CHECKING:
    from explain.explanation import Explanation

_ROWS = 10


def explanation_html(explanation: Explanation) -> str:
    """One row's largest attributions with their values, or the importance of the features over several."""
    if len(explanation) == 1:
        values = explanation.by_feature()[0]
        words = explanation.modality.words(explanation.inputs)[0]
        heading = (
            f"{explanation.unit}: {signed(float(explanation.value[0]))}, where the baseline has {signed(float(explanation.base_value[0]))}"
        )
    else:
        values = explanation.importance()
        words = {}
        heading = f"mean |attribution| over {len(explanation)} rows, in {explanation.unit}"
    largest = float(values.abs().max()) or 1.0
    lines = []
    for index in torch.argsort(values.abs(), descending=True, stable=True)[:_ROWS].tolist():
        name, number = explanation.modality.players[index], float(values[index])
        text = f"{name} = {words[name]}" if words else name
        bar = f"background:{RAISES if number > 0 else LOWERS};width:{100 * abs(number) / largest:.0f}%;height:0.8em"
        lines.append(
            f'<tr><td style="text-align:left">{escape(shorten(text))}</td><td style="text-align:right">{signed(number)}</td>'
            f'<td style="width:12em"><div style="{bar}"></div></td></tr>'
        )
    hidden = len(values) - len(lines)
    more = f", {hidden} smaller features not shown" if hidden else ""
    kind = "exact" if explanation.exact else f"completeness error at most {float(explanation.completeness_error.max()):.2g}"
    return (
        f"<table><caption>{escape(heading)}</caption><tbody>{''.join(lines)}</tbody></table>"
        f"<p><small>{escape(explanation.method.replace('_', ' '))}, {kind}{more}</small></p>"
    )
