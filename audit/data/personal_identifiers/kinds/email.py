"""E-mail addresses (RFC 5322, addr-spec, as they are written in practice)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.data.personal_identifiers.kind import Kind, register


@register
@dataclass(frozen=True)
class Email(Kind):
    """A local part, ``@``, and a domain of two labels or more."""

    noun = "e-mail addresses"
    evidence = "form"
    # Every repetition is bounded and starts at a border, so that no cell takes long. Text that is written without blanks
    # may go on before and after an address of Latin letters.
    pattern = re.compile(
        r"(?:(?<![\w.%+-])[\w.%+-]{1,64}|(?<![A-Za-z0-9_.%+-])[A-Za-z0-9_.%+-]{1,64})@"
        r"(?:[\w-]{1,63}\.){1,8}(?:[A-Za-z]{2,24}(?![A-Za-z0-9_-])|[^\W\d_]{2,24}(?![\w-]))"
    )
    column_names = ("email", "e mail", "mail", "邮箱", "邮件", "电邮")

    def holds(self, candidate: str) -> bool:
        """No point stands at an end of the local part or beside another, no hyphen at an end of a label."""
        local, _, domain = candidate.rpartition("@")
        labels = domain.split(".")
        return not local.startswith(".") and not local.endswith(".") and ".." not in local and all(_is_label(label) for label in labels)


def _is_label(label: str) -> bool:
    return not label.startswith("-") and not label.endswith("-")
