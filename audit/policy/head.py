"""The head of a policy: what it is called, and what it asks of the audit as a whole."""

from __future__ import annotations

from typing import Literal

from audit.policy.rule import LaterSwitch
from audit.toml_files import Form

Profile = Literal["quick", "standard", "thorough"]
#: From the one that measures least to the one that measures most.
PROFILES: tuple[Profile, ...] = ("quick", "standard", "thorough")


class PolicyHead(Form):
    """What a policy is called, and what it asks of the audit as a whole.

    Args:
        id: Its name in reports.
        profile: Which profile of checks it requires; any if unset.
        requires_independence: Whether who examines the classifier must be another than who made it.
    """

    id: str
    profile: Profile | None = None
    requires_independence: LaterSwitch = False
