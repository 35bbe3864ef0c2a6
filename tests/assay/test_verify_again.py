"""``assay verify`` counts and judges again, and tells what was left out, what was not recomputed, and when it was stamped."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.attestation import sign_bundle
from audit.manifests import write_manifests
from audit.publication import publish
from audit.redactions import Redactions
from audit.vault.signing.keys import SigningKey, generate_signing_key
from classifier.records import canonical_json, sha256

Assay = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record, and everything that tells the same, as whoever can write to the folder would."""
    content = json.loads((folder / "audit.json").read_text())
    change(content)
    (folder / "audit.json").write_bytes(canonical_json(content))
    for evidence in content["evidence"]:
        (folder / "evidence" / f"{evidence['check']}.json").write_bytes(canonical_json(evidence))
    write_manifests(folder)


def metric(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(m for evidence in content["evidence"] for m in evidence["metrics"] if m["name"] == name)


def test_it_says_what_was_recomputed_what_was_not_and_why(assay: Assay, bundle: Path) -> None:
    code, out, err = assay("verify", "bundle")
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    for told in (
        "recomputed 29 of 67 numbers, and all agree",
        "22 rest on results that are not stored row by row",
        "16 are ends of intervals by resampling, whose draws are not stored",
        "judged     3 of 3 findings again, and all agree",
        "stamped    no; its times are self-declared",
    ):
        assert told in out
    described = json.loads(assay("verify", "bundle", "--json")[1])
    assert described["numbers"]["agreeing"] + sum(described["numbers"]["left"].values()) == described["numbers"]["measured"] == 67
    assert described["findings"] == {"told": 3, "by_policy": 3, "by_limit": 0}
    assert (described["time_stamp"], described["withheld"]) == (None, {})


def test_a_number_that_does_not_follow_is_4_and_is_named_with_both_values(assay: Assay, bundle: Path) -> None:
    rewrite(bundle, lambda content: metric(content, "performance.accuracy").update(value=0.925))
    code, out, err = assay("verify", "bundle")
    assert (code, out) == (4, "")
    assert "performance.accuracy is stored as 0.925, and the rows give 0.875" in err
    assert "next:" in err


def test_a_verdict_that_does_not_follow_is_4_and_is_named(assay: Assay, bundle: Path) -> None:
    rewrite(bundle, lambda content: content["findings"][2].update(verdict="pass", violated=False))
    code, out, err = assay("verify", "bundle")
    assert (code, out) == (4, "")
    assert "PERFECT: the verdict is stored as 'pass', and the policy and the metrics give 'fail'" in err


def test_many_disagreements_are_counted_and_the_first_are_named(assay: Assay, bundle: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for one in (m for evidence in content["evidence"] for m in evidence["metrics"]):
            if one["interval"] == "wilson":
                one["low"], one["high"] = one["low"] - 0.01, one["high"] + 0.01

    rewrite(bundle, change)
    code, _, err = assay("verify", "bundle")
    assert code == 4
    assert "18 numbers of the record do not follow" in err
    assert "and 13 more" in err


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: rewrite(folder, lambda content: content.update(version=7)), "audit.json is of version 7, and this release reads"),
        (lambda folder: (folder / "evidence" / "performance.decision.json").unlink(), "performance.decision.json is missing"),
        (lambda folder: (folder / "manifest.json").write_text('{"version":3,"sha256":{}}'), "manifest.json is of version 3"),
        (lambda folder: (folder / "run.json").write_text("{ }"), "run.json was changed since the audit"),
    ],
)
def test_a_bundle_that_is_newer_incomplete_or_changed_is_4_and_says_so(
    assay: Assay, bundle: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(bundle)
    code, out, err = assay("verify", "bundle")
    assert (code, out) == (4, "")
    assert problem in err


def test_of_a_published_copy_it_says_what_is_withheld_and_what_no_manifest_vouches_for(assay: Assay, bundle: Path) -> None:
    publish(bundle, bundle.with_name("public"))
    code, out, _ = assay("verify", "public")
    assert code == 0
    assert "withheld   6 files, named with their digests in redactions.json" in out
    assert "record     audit.public.json, made for this copy; no manifest vouches for it" in out
    assert "rest on rows that were withheld when it was published" in out
    described = json.loads(assay("verify", "public", "--json")[1])
    assert described["withheld"]["audit.json"] == sha256((bundle / "audit.json").read_bytes())
    assert described["made_for_the_copy"].keys() == {"audit.public.json"}


def test_a_public_record_with_other_verdicts_than_those_that_were_signed_is_4(assay: Assay, bundle: Path) -> None:
    key: SigningKey = generate_signing_key()
    sign_bundle(bundle, key, model_id="credit", version=1, now=datetime.datetime.now(datetime.UTC))
    folder = publish(bundle, bundle.with_name("public")).folder
    assert assay("verify", "public", "--signer", key.public)[0] == 1
    record = json.loads((folder / "audit.public.json").read_text())
    # The verdicts stay, and one that is violated is told as waived, which its policy does not say.
    record["findings"][2].update(waived_by="Ada, 2999-12-31: known")
    (folder / "audit.public.json").write_bytes(canonical_json(record))
    earlier = Redactions.from_json((folder / "redactions.json").read_bytes(), "")
    made = {"audit.public.json": sha256((folder / "audit.public.json").read_bytes())}
    (folder / "redactions.json").write_bytes(Redactions(earlier.withheld, made).to_json())
    code, out, err = assay("verify", "public", "--signer", key.public)
    assert (code, out) == (4, "")
    assert "PERFECT: it is stored as waived by 'Ada, 2999-12-31: known', and no waiver of the policy says so" in err


def test_a_time_stamp_that_is_required_and_missing_is_4(assay: Assay, bundle: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    (tmp_path / "ca.pem").write_bytes(_certificate(ec.generate_private_key(ec.SECP256R1())))
    code, out, err = assay("verify", "bundle", "--certificate", "ca.pem")
    assert (code, out) == (4, "")
    assert "has no timestamp.tsr, and --certificate requires one" in err
    assert assay("verify", "bundle", "--certificate", "nowhere.pem")[0] == 2
    (bundle / "timestamp.tsr").write_bytes(b"garbage")
    code, _, err = assay("verify", "bundle")
    assert code == 4
    assert "timestamp.tsr is no response" in err


def _certificate(key: Any) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Clock")]), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_neither_torch_nor_any_numerical_library_is_loaded(bundle: Path) -> None:
    code = (
        "import sys; from assay.__main__ import app; app(['verify', 'bundle'], standalone_mode=False);"
        "print(sorted({'torch', 'numpy', 'scipy', 'pandas', 'matplotlib', 'safetensors', 'audit.policy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=bundle.parent)
    assert "recomputed 29 of 67" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
