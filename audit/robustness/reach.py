"""How far from its row a changed row may be, once rounding is let in: attacks and certificates take the same."""

from __future__ import annotations

# By how much single precision may carry a row out of its ball, in units of change and as a share of eps.
ROUNDING = 1e-6


def with_rounding(eps: float) -> float:
    """The largest distance that counts as within `eps`, in units of change; none where nothing may change."""
    return eps * (1 + ROUNDING) + ROUNDING if eps > 0 else 0.0
