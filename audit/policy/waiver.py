"""A waiver: somebody's decision to live with a violation."""

from __future__ import annotations

import datetime

from audit.policy.rule import Name
from audit.toml_files import Form


class Waiver(Form):
    """Somebody's decision to live with a violation until a day.

    Args:
        rule: Id of the rule.
        reason: Why it is accepted.
        owner: Who answers for it.
        expires: The last day on which it counts.
    """

    rule: str
    reason: Name
    owner: Name
    expires: datetime.date
