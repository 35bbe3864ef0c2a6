"""How an explanation shows itself in a notebook: a small table with bars, or a text in colours, without scripts or files."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import torch

from explain.figures._style import INK, LOWERS, RAISES, name_value, shorten, signed

if TYPE_CHECKING:
    from explain.explanation import Explanation

_ROWS = 10


def explanation_html(explanation: Explanation) -> str:
    """One text in colours, one row's largest attributions with their values, or the importance of the features over several."""
    return _text(explanation) if len(explanation) == 1 and explanation.schema.modality == "text" else _table(explanation)


def _table(explanation: Explanation) -> str:
    if len(explanation) == 1:
        values = explanation.by_feature()[0]
        words = explanation.modality.words(explanation.inputs)[0]
        heading = _outputs(explanation)
    else:
        values = explanation.importance()
        words = {}
        heading = f"mean size of the {explanation.label}, over {len(explanation)} rows"
    told = explanation.shown.any(0)
    largest = float(values.abs().max()) or 1.0
    lines = []
    order = torch.argsort(values.abs(), descending=True, stable=True)
    for index in order[told[order]][:_ROWS].tolist():
        name, number = explanation.modality.players[index], float(values[index])
        text = name_value(name, words[name]) if words else name
        bar = f"background:{RAISES if number > 0 else LOWERS};width:{100 * abs(number) / largest:.0f}%;height:0.8em"
        lines.append(
            f'<tr><td style="text-align:left">{escape(shorten(text))}</td><td style="text-align:right">{signed(number)}</td>'
            f'<td style="width:12em"><div style="{bar}"></div></td></tr>'
        )
    hidden = int(told.sum()) - len(lines)
    more = f"{hidden} smaller features not shown" if hidden else ""
    return f"<table><caption>{escape(heading)}</caption><tbody>{''.join(lines)}</tbody></table>{_origin(explanation, more)}"


def _text(explanation: Explanation) -> str:
    there = explanation.shown[0].tolist()
    words = list(explanation.modality.words(explanation.inputs)[0].values())
    values = explanation.by_feature()[0].numpy()
    reach = float(np.abs(values).max()) or 1.0
    spans = [
        f'<span title="{signed(value)}" style="{_ground(value / reach)}">{escape(word)}</span>'
        for word, value, shown in zip(words, values, there, strict=True)
        if shown
    ]
    ends = "".join(f'<span style="{_ground(end)}">{signed(end * reach)}</span>' for end in (-1, 1))
    return (
        f'<p>{escape(_outputs(explanation))}</p><p style="line-height:2">{" ".join(spans)}</p>'
        f"<p><small>{ends} {escape(explanation.label)}</small></p>{_origin(explanation)}"
    )


def _ground(share: float) -> str:
    """The style of a word whose attribution is a share of the largest, from -1 to 1."""
    color = RAISES if share > 0 else LOWERS
    ink = "#fff" if share < -0.7 else INK
    return f"background:{color}{round(255 * abs(share)):02x};color:{ink};padding:0.15em 0.25em;border-radius:0.2em"


def _outputs(explanation: Explanation) -> str:
    value, base = signed(float(explanation.value[0])), signed(float(explanation.base_value[0]))
    return f"{explanation.output_name}: {value}, where the baseline has {base}"


def _origin(explanation: Explanation, more: str = "") -> str:
    """What it was made with, and how exact it is."""
    parts = [explanation.label, explanation.method_name, explanation.precision, *([more] if more else []), *explanation.notes]
    return f"<p><small>{escape('; '.join(parts))}</small></p>"
