"""A first ``audit.toml`` and ``policy.toml`` for a table that nobody has described yet."""

from audit.starter.starter import write_starter

__all__ = ["write_starter"]
