"""The policies that come with Assay."""

from __future__ import annotations

from pathlib import Path

from classifier.errors import ConfigurationError, did_you_mean

_FOLDER = Path(__file__).parents[1] / "policies"


def shipped_policies() -> tuple[str, ...]:
    """Their names, each of which ``[policy] name`` and ``extends`` take."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def shipped_path(name: str) -> Path:
    """The file of one.

    Raises:
        ConfigurationError: If there is none of that name; the message names the nearest.
    """
    if name not in shipped_policies():
        raise ConfigurationError(f"no policy {name!r} comes with Assay", remedy=did_you_mean(name, shipped_policies()))
    return _FOLDER / f"{name}.toml"
