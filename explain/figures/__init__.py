"""Figures: one file a picture. Each takes `ax`, returns it, and shows or saves nothing; what draws is decorated with `picture`.

A file of this folder registers the function that draws an explanation; ``Explanation.plot`` finds it by the
file's name. The folders hold what draws something else, by what that is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from classifier.registry import Registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

FIGURES: Registry[Callable[[Explanation, Axes | None], Axes]] = Registry("explain.figures", "figure of an explanation")
