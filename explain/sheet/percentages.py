"""Percentages: a probability beside the threshold that it is held against, in digits that keep the two apart."""

from __future__ import annotations

_MOST_DIGITS = 9


def percentage(probability: float) -> str:
    """A probability in whole percent, and in more digits where these would say that something is certain."""
    return side_by_side(probability, None)[0]


def side_by_side(probability: float, threshold: float | None) -> tuple[str, str]:
    """Both in as few digits as tell on which side of the threshold the probability is.

    Args:
        probability: From 0 to 1.
        threshold: What it is to reach; without one, the second text says nothing.
    """
    for digits in range(_MOST_DIGITS):
        shown, limit = (f"{value:.{digits}%}" for value in (probability, threshold or 0.0))
        apart = threshold is None or (_says_so(limit, threshold) and (shown != limit or probability >= threshold))
        if apart and _says_so(shown, probability):
            break
    return shown, f"{limit[:-1].rstrip('0').rstrip('.') if '.' in limit else limit[:-1]}%"


def _says_so(text: str, value: float) -> bool:
    """Whether a text that says 0 or 100 % is right."""
    return float(text[:-1]) not in (0.0, 100.0) or value in (0.0, 1.0)
