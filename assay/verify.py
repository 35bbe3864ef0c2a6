"""``assay verify``: hold a bundle against its manifests, and its signature against those whose word is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.options import AsJson
from assay.signing import Signers, TrustFile, collect_trust
from classifier.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.attestation import Attested


def verify_folder(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="BUNDLE")],
    trust: TrustFile = None,
    signer: Signers = None,
    model: Annotated[str | None, typer.Option(help="The model that it must be an audit of.", metavar="ID")] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no file of a bundle was changed, added or taken away since the audit, and who signed it.

    Who signed it is judged by a trust store or by public keys. Without either, only the files are judged: whoever can
    change them can also write new manifests.

    Exit codes: 4 if a file or a signature is not what it should be; else, where a signature was judged, what the auditor
    signed: 0 all rules hold, 1 a rule is violated, 3 some could not be decided.

    Example: assay verify reports/german-credit --trust trust.toml
    """
    from audit.attestation import verify_attestation

    if not bundle.is_dir():
        problem = f"{bundle} is a file" if bundle.exists() else f"there is no folder {bundle}"
        raise ConfigurationError(f"{problem}, required is the folder of a bundle", remedy="give the folder that holds manifest.json")
    store = collect_trust(trust, signer)
    if model is not None and store is None:
        raise ConfigurationError(
            "--model says what a signature must be about, and no signature is judged", remedy="give --trust or --signer"
        )
    found = verify_attestation(bundle, store, model_id=model)
    typer.echo(json.dumps(_describe(found), ensure_ascii=False, indent=2) if as_json else "\n".join(_tell(found)))
    if found.audited is not None:
        raise typer.Exit({"PASSED": 0, "FAILED": 1, "WARNED": 3}[found.audited.result])


def _tell(found: Attested) -> list[str]:
    lines = [f"{len(found.bundle.files)} files are as the audit left them"]
    audited = found.audited
    if found.provenance is None or audited is None:
        if found.claimed_key is None:
            return [f"{lines[0]}; the bundle is not signed"]
        return [
            *lines,
            f"signed     not judged; it claims key {found.claimed_key}",
            "next       give --trust trust.toml, or --signer with a public key",
        ]
    (vouched,) = found.provenance.statements
    claim = vouched.statement.claim
    rules = {"hold": audited.passed, "warned of": audited.warned, "violated": audited.failed}
    lines += [
        f"signed by  {vouched.signer}, as auditor",
        f"key        {vouched.key_id}",
        f"model      {claim.model}, version {claim.version}",
        f"time       {claim.time:%Y-%m-%d %H:%M:%S} UTC, as the signer claims",
        f"result     {audited.result}; rules: {', '.join(f'{len(ids)} {word}' for word, ids in rules.items())}",
    ]
    return lines


def _describe(found: Attested) -> dict[str, Any]:
    described: dict[str, Any] = {
        "files": len(found.bundle.files),
        "manifests": found.bundle.manifests,
        "signed": found.claimed_key is not None,
        "claimed_key": found.claimed_key,
        "judged": found.provenance is not None,
    }
    audited = found.audited
    if found.provenance is not None and audited is not None:
        (vouched,) = found.provenance.statements
        described |= {
            "signer": vouched.signer,
            "role": vouched.statement.role,
            "model": {"id": found.provenance.model, "version": found.provenance.version},
            "time_as_claimed": vouched.statement.claim.time.isoformat(),
            "result": audited.result,
            "passed": audited.passed,
            "warned": audited.warned,
            "failed": audited.failed,
            "trust": found.provenance.trust,
        }
    return described
