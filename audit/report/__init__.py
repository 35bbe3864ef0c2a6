"""The report: renders what an audit's record holds, and computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.lazy_names import names_from

if TYPE_CHECKING:
    from audit.report.catalogue import languages
    from audit.report.composing import compose
    from audit.report.drawing import draw_all
    from audit.report.figures import write_figures
    from audit.report.html import render_html, set_html
    from audit.report.terminal import summarise

__all__ = ["compose", "draw_all", "languages", "render_html", "set_html", "summarise", "write_figures"]

_HOMES = {
    "compose": "composing",
    "draw_all": "drawing",
    "languages": "catalogue",
    "render_html": "html",
    "set_html": "html",
    "summarise": "terminal",
    "write_figures": "figures",
}

__getattr__ = names_from(__name__, _HOMES)
