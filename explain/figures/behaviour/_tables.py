"""Tables: how a result over all data shows itself in a notebook, without scripts or files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from explain.figures._style import shorten

_LINES = 15


def table_html(caption: str, frame: pd.DataFrame, notes: Sequence[str] = ()) -> str:
    """The first lines of a table, with what it shows above and what a reader must know below."""
    shown = frame.head(_LINES)
    head = "".join(f'<th style="text-align:left">{escape(str(name).replace("_", " "))}</th>' for name in frame.columns)
    body = "".join("<tr>" + "".join(_cell(value) for value in line) + "</tr>" for line in shown.itertuples(index=False, name=None))
    more = [f"{len(frame) - len(shown)} more lines in to_frame()"] if len(frame) > len(shown) else []
    below = f"<p><small>{escape('; '.join([*more, *notes]))}</small></p>" if more or notes else ""
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:right">{f"{value:.3g}".replace("-", "−")}</td>'
    return f'<td style="text-align:left">{escape(shorten(str(value), 80))}</td>'
