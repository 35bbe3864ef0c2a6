"""``assay reproduce``: run an audit again, and say which numbers come out as they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.options import AsJson, Quiet
from assay.secrets import IdentityFiles, PassphraseDescriptor, collect_identities, read_passphrase, telling_of_a_new_identity
from assay.signing import Signers, TrustFile, collect_trust
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.reproduction import Reproduction, Unlike

_SHOWN = 10


def reproduce_bundle(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Where its audit.toml lay; the paths in it start there.")] = Path(),
    output: Annotated[Path | None, typer.Option(help="Folder of the second bundle; BUNDLE-reproduced by default.")] = None,
    identity_file: IdentityFiles = None,
    passphrase_fd: PassphraseDescriptor = None,
    trust: TrustFile = None,
    signer: Signers = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run code that the bundle names, and ask addresses that it names: python, rest, trusted.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run an audit again from the configuration in its bundle, and compare every number.

    The data must have the digests that they had. Other software or hardware may give other numbers, and what differs of
    these is told. A bundle that names code to run or an address to ask is refused, unless an auditor whom you trust has
    signed it, or you allow it.

    Exit codes: 0 all numbers agree, but for rounding; 1 some do not; 3 some could not be measured again; 4 the bundle or
    the data are not what they were.

    Example: assay reproduce reports/german-credit --data examples/german-credit
    """
    from audit.attestation import verify_attestation
    from audit.reproduction import reproduce

    if not data.is_dir():
        raise ConfigurationError(f"there is no folder {data}", remedy="give the folder that audit.toml lay in")
    bundle = bundle.resolve()
    store = collect_trust(trust, signer)
    if store is not None:
        verify_attestation(bundle, store)
    passphrase = read_passphrase(False, passphrase_fd, what="the sealed data")
    identities = collect_identities(identity_file, passphrase)
    with telling_of_a_new_identity():
        found = reproduce(
            bundle,
            data=data,
            output=output if output is not None else bundle.with_name(f"{bundle.name}-reproduced"),
            progress=not quiet,
            identities=identities,
            passphrase=passphrase,
            allow_code=allow_code or store is not None,
        )
    if as_json:
        typer.echo(json.dumps({**asdict(found), "folder": str(found.folder)}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_tell(found)))
    raise typer.Exit(found.exit_code)


def _tell(found: Reproduction) -> list[str]:
    count = found.exact + found.close + len(found.unlike) + len(found.missing)
    lines = [
        f"{count} metrics were measured; run again, of these",
        f"  {found.exact} are the same to the last digit",
        f"  {found.close} differ by rounding",
        f"  {len(found.unlike)} differ by more",
        *_list(found.unlike),
        f"  {len(found.missing)} were not measured again",
        *_list(found.missing),
    ]
    if found.classifier is not None:
        lines.append("the classifier is the same" if found.classifier else "the classifier is another: its digest differs")
    told = [f"  {name}: {before}, now {now}" for name, (before, now) in found.surroundings.items()]
    return [*lines, *(["software and hardware differ:", *told] if told else ["software and hardware are as they were"])]


def _list(metrics: Sequence[Unlike]) -> list[str]:
    lines = []
    for one in metrics[:_SHOWN]:
        where = "".join(f", {key} = {value}" for key, value in one.where.items())
        lines.append(f"    {one.metric}{where}")
        lines.append(f"      {_interval(one.before)}, now {_interval(one.now) if one.now is not None else f'none: {one.reason}'}")
    return [*lines, f"    and {len(metrics) - _SHOWN} more"] if len(metrics) > _SHOWN else lines


def _interval(numbers: tuple[float, float, float]) -> str:
    value, low, high = numbers
    return f"{value:.6g}" if low == high else f"{value:.6g} [{low:.6g}, {high:.6g}]"
