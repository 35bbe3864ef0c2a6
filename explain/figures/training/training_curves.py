"""Training curves: the loss by epoch, on the rows that were learned from and on those that were not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError
from explain.figures._picture import picture
from explain.figures._style import INK, LOWERS, RAISES, axes_or_new, tidy_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@picture
def draw_training_curves(
    train: Sequence[float],
    validation: Sequence[float],
    *,
    chosen: int,
    label: str = "cross-entropy loss",
    title: str = "Loss by epoch",
    ax: Axes | None = None,
) -> Axes:
    """Draw both losses and mark the epoch whose weights were kept.

    Args:
        train: Loss on the training rows, by epoch.
        validation: Loss on the validation rows, by epoch.
        chosen: The epoch whose weights were kept, from 1.
        label: What the losses are, with their unit.
        title: Title.
        ax: Where to draw; a new figure where there is none.

    Raises:
        ConfigurationError: If there is no such epoch.
    """
    if not 1 <= chosen <= len(validation):
        raise ConfigurationError(f"chosen must be one of the {len(validation)} epochs that have a validation loss, got {chosen}")
    from matplotlib.ticker import MaxNLocator

    ax = axes_or_new(ax, height=3.6)
    ax.plot(range(1, len(train) + 1), train, color=LOWERS, linewidth=1.6, linestyle="--", label="training rows")
    ax.plot(range(1, len(validation) + 1), validation, color=RAISES, linewidth=2, label="validation rows")
    kept = validation[chosen - 1]
    ax.plot([chosen], [kept], "o", color=INK, markersize=6, label=f"kept: epoch {chosen}, validation loss {kept:.3g}")
    ax.axvline(chosen, color=INK, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_xlim(1 if len(train) > 1 else 0, max(len(train), len(validation)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="y", color="#EEEEEE")
    ax.set_xlabel("epoch")
    ax.set_ylabel(label)
    ax.set_title(title, loc="left", fontsize="medium")
    ax.legend(frameon=False)
    tidy_axes(ax)
    return ax
