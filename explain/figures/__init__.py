"""Figures: one file a picture. Each takes `ax`, returns it, and shows or saves nothing.

A file that can draw an explanation registers the function that does; ``Explanation.plot`` finds it by
the file's name. The others draw a training run or a classifier.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from classifier.registry import Registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.explanation import Explanation

FIGURES: Registry[Callable[[Explanation, Axes | None], Axes]] = Registry("explain.figures", "figure of an explanation")
