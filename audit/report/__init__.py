"""The report: renders what an audit's record holds, and computes nothing."""

from __future__ import annotations

from audit.report.catalogue import languages
from audit.report.figures import write_figures
from audit.report.html import render_html
from audit.report.terminal import summarise

__all__ = ["languages", "render_html", "summarise", "write_figures"]
