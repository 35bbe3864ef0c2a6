"""Places: whether what a rule asks about will be measured at all, told before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from audit.policy.deciding import same_value
from audit.policy.measured_places import require_askable
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.check import Check
    from audit.policy.document import Policy
    from audit.policy.rule import Rule
    from classifier.dataset import Dataset

# The option of a check that lists the values of each of these.
_OPTIONS = {"eps": "eps", "fpr": "rates", "sigma": "sigma", "radius": "radii", "budget": "budgets", "quantile": "quantiles"}


def require_measurable(policy: Policy, checks: Sequence[Check], parts: Iterable[Dataset]) -> None:
    """Refuse a rule about a group that the data do not have, an eps that no check tries, or a place that no metric knows.

    Args:
        policy: The rules.
        checks: What is going to run, with its options.
        parts: The rows, in as many parts as there are.

    Raises:
        ConfigurationError: With the rule, and what there is.
    """
    for rule in policy.rule:
        require_askable(rule)
    groups: dict[str, set[str]] = {}
    for part in parts:
        for attribute in part.protected:
            groups.setdefault(attribute, set()).update(map(str, part.groups(attribute)))
    policy.check_groups(groups)
    for rule in policy.rule:
        for check in checks:
            if rule.metric in check.metrics:
                _require_tried(rule, check)


def _require_tried(rule: Rule, check: Check) -> None:
    options = check.options()
    for key, asked in rule.where.items():
        tried = _numbers(options.get(_OPTIONS.get(key, "")))
        if tried and not any(same_value(asked, value) for value in tried):
            raise ConfigurationError(
                f"the rule {rule.id!r} asks for {key} = {asked}, and {check.id} tries {', '.join(f'{value:g}' for value in tried)}",
                remedy=f'add it to {_OPTIONS[key]} under [checks."{check.id}"], or ask for one of those',
            )


def _numbers(option: Any) -> tuple[float, ...]:
    """The numbers that an option lists; none where the check chooses them itself."""
    values = option if isinstance(option, tuple) else (option,)
    return tuple(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
