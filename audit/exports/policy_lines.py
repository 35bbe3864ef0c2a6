"""Where in a source file the rules of a policy stand."""

from __future__ import annotations

import tomllib

from audit.toml_files import line_of
from classifier.errors import ConfigurationError


class PolicyLines:
    """Line numbers of rules, from 1.

    Args:
        text: Text of the ``policy.toml`` that somebody wrote, or of the ``audit.toml`` that names one that comes with Assay.
        path: What it is called in an error.

    Raises:
        ConfigurationError: If it is not TOML.
    """

    def __init__(self, text: str, path: str) -> None:
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}", remedy="give the policy that the audit was judged by") from error
        rules = content.get("rule", [])
        self._lines = {rule.get("id"): line_of(text, ("rule", position, "id")) for position, rule in enumerate(rules)}
        named = [key for key in ("extends", "name") if key in content.get("policy", {})]
        self._head = line_of(text, ("policy", *named[:1]))

    def of(self, rule: str) -> int:
        """The line that names a rule; of one that the policy inherits, the line that says from where."""
        return self._lines.get(rule, self._head)
