"""What a stranger's bundle may not ask of the machine that runs its audit again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from audit.manifests import MANIFEST, VerifiedBundle
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.configuration import Configuration

_ELSEWHERE = "name another folder with --output"


def require_apart(bundle: Path, output: Path) -> None:
    """Refuse to write into the bundle, around it, or over another one.

    Args:
        bundle: The bundle.
        output: Where the second one goes.

    Raises:
        ConfigurationError: If something would be lost.
    """
    place, whole = output.resolve(), bundle.resolve()
    if place == whole or whole in place.parents or place in whole.parents:
        raise ConfigurationError(f"{output} is the bundle that is to be reproduced, or lies in it or around it", remedy=_ELSEWHERE)
    if (place / MANIFEST).exists():
        raise ConfigurationError(f"{output} is a bundle already, which would be lost", remedy=_ELSEWHERE)


def require_allowed(bundle: VerifiedBundle, configuration: Configuration, data: Path, *, allow_code: bool) -> None:
    """Refuse code and addresses that the bundle names, and a policy that would be written outside the data's folder.

    Args:
        bundle: The bundle.
        configuration: What it says is run.
        data: The folder that its paths start in.
        allow_code: Whether its maker is trusted with code and addresses.

    Raises:
        ConfigurationError: If it asks for more.
    """
    model, policy = configuration.model, configuration.policy
    named = {"python": model.python, "rest": model.rest, "trusted": ", ".join(model.trusted) or None}
    for option, value in named.items():
        if value is not None and not allow_code:
            raise ConfigurationError(
                f"the bundle {bundle.folder} names code or an address, {option} = {value!a}, which is not used unasked",
                remedy="look at what it names; if you trust its maker, give --allow-code, or --trust or --signer if it is signed",
            )
    stated = configuration.data
    for name in (stated.path, stated.test_path, stated.validation_path, stated.schema_path):
        if name is not None and Path(name).is_absolute():
            raise ConfigurationError(f"the data {name!a} do not lie in {data}", remedy="ask the auditor for a bundle with relative paths")
    # The bundle's own policy is written there if none is.
    if policy is not None and policy.path is not None and not (data / policy.path).resolve().is_relative_to(data.resolve()):
        problem = f"the policy {policy.path!a} lies outside {data}"
        raise ConfigurationError(problem, remedy="ask the auditor for a bundle whose policy lies beside its audit.toml")
