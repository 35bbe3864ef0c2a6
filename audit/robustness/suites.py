"""Suites: which attacks run one after the other, the cheapest first, each on what the ones before left standing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audit.robustness.method import ATTACKS, Attack
from classifier.errors import ConfigurationError, did_you_mean
from classifier.perturbation import Norm

_Entries = dict[str, tuple[tuple[str, dict[str, Any]], ...]]

#: ``"standard"`` is AutoAttack (Croce and Hein, 2020, arXiv:2003.01690): its attacks with its budgets.
SUITES: _Entries = {
    "quick": (("apgd", {"steps": 10}), ("apgd_targeted", {"steps": 20})),
    "standard": (("apgd", {}), ("apgd_targeted", {}), ("fab", {}), ("square", {})),
    "thorough": (
        ("apgd", {}), ("apgd", {"loss": "dlr"}), ("apgd_targeted", {"restarts": 5}), ("fab", {"restarts": 3}), ("fmn", {}), ("square", {}),
        ("transfer", {}), ("hop_skip_jump", {}), ("random_search", {}),
    ),
}  # fmt: skip
#: Passes that each spends on a row that stands, about.
PASSES = {"quick": 300, "standard": 8000, "thorough": 40_000}
# Where only valid rows of a table count: a law that windows and boundaries do not know.
_VALID_ROWS: _Entries = {
    "quick": (("apgd", {"steps": 10}), ("constrained_apgd", {})),
    "standard": (("apgd", {}), ("apgd_targeted", {}), ("constrained_apgd", {}), ("evolutionary", {})),
    "thorough": (("apgd", {}), ("apgd_targeted", {}), ("constrained_apgd", {"restarts": 20}), ("evolutionary", {"generations": 300})),
}
# Where there are no gradients.
_BLACK_BOX: _Entries = {
    "quick": (("square", {"queries": 500}),),
    "standard": (("random_search", {}), ("square", {}), ("hop_skip_jump", {"queries": 1000})),
    "thorough": (("random_search", {"queries": 1000}), ("square", {}), ("transfer", {}), ("hop_skip_jump", {})),
}
_BLACK_BOX_VALID_ROWS: _Entries = {
    "quick": (("evolutionary", {"generations": 20}),),
    "standard": (("random_search", {}), ("evolutionary", {})),
    "thorough": (("random_search", {"queries": 1000}), ("evolutionary", {"generations": 300})),
}


def resolve_suite(suite: str | Sequence[Attack], *, gradient: bool, norm: Norm, valid_rows: bool) -> tuple[Attack, ...]:
    """The attacks of a suite that can be run.

    Args:
        suite: ``"quick"``, ``"standard"``, ``"thorough"``, or attacks.
        gradient: Whether the classifier has gradients.
        norm: In which norm changes are measured.
        valid_rows: Whether only valid rows of a table count.

    Raises:
        ConfigurationError: If there is no such suite, or an attack does not know the norm.
    """
    if isinstance(suite, str):
        if suite not in SUITES:
            raise ConfigurationError(f"there is no suite {suite!r}", remedy=did_you_mean(suite, SUITES))
        suites = (_VALID_ROWS if gradient else _BLACK_BOX_VALID_ROWS) if valid_rows else (SUITES if gradient else _BLACK_BOX)
        made = (ATTACKS[name](**options) for name, options in suites[suite])
        return tuple(attack for attack in made if norm in attack.norms)
    if not suite:
        raise ConfigurationError("a suite needs at least one attack")
    for attack in suite:
        if norm not in attack.norms:
            raise ConfigurationError(f"{attack.id} knows no changes in {norm}", remedy=f"take norm={attack.norms[0]!r}")
    return tuple(suite)
