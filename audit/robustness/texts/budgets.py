"""How many words of a text may change."""

from __future__ import annotations

import math

from classifier.errors import ConfigurationError


def require_budget(budget: float) -> None:
    """Refuse what is neither a share of the words nor a number of them.

    Raises:
        ConfigurationError: If it is a fraction outside (0, 1], or a whole number below 1.
    """
    if isinstance(budget, bool) or not (budget >= 1 if isinstance(budget, int) else 0 < budget <= 1):
        raise ConfigurationError(
            f"budget must be a share of the words above 0 and at most 1.0, or a whole number of words from 1 on, got {budget!r}"
        )


def allowance(words: int, budget: float) -> int:
    """How many of so many words may change: the number, or the share rounded down but at least one word.

    Args:
        words: How many the text has.
        budget: A share of them as a float, or a number of them as an int.
    """
    if isinstance(budget, int):
        return min(budget, words)
    # 0.29 of 100 words are 29, though 0.29 * 100 lies just below.
    return min(words, max(1, math.floor(budget * words + 1e-9)))
