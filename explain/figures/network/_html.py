"""How a figure shows itself in a notebook: as a picture within the page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_html(figure: Figure, *, dpi: int = 80) -> str:
    """The figure as one element of a page, without files."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    return f'<img alt="" src="data:image/png;base64,{b64encode(content.getvalue()).decode()}">'
