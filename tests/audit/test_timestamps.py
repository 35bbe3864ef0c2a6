"""A time stamp counts that is about this bundle and is signed by an authority whose word is taken, and no other."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rfc3161_client")
OPENSSL = shutil.which("openssl")
if OPENSSL is None:
    pytest.skip("openssl plays the authority, and is not there", allow_module_level=True)

from audit.attestation import sign_bundle  # noqa: E402
from audit.manifests import verify_bundle, write_manifests  # noqa: E402
from audit.publication import publish  # noqa: E402
from audit.response_order import in_order  # noqa: E402
from audit.timestamps import attach_timestamp, read_certificates, verify_timestamp, write_request  # noqa: E402
from audit.vault.signing.keys import generate_signing_key  # noqa: E402
from classifier.errors import ConfigurationError, IntegrityError  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = ./serial
signer_cert = ./authority.pem
signer_key = ./authority.key
default_policy = 1.2.3.4.1
digests = sha256, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
"""
Ask = Callable[..., bytes]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([str(OPENSSL), *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the root certificates of two authorities, ``root.pem`` and ``other.pem``, and a clock under the first."""
    folder = tmp_path_factory.mktemp("authority")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("root", "other"):
        openssl(folder, "req", "-x509", *new, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}")
    extensions = {"authority": "extendedKeyUsage=critical,timeStamping", "shop": "extendedKeyUsage=critical,serverAuth"}
    for name, usage in extensions.items():
        (folder / f"{name}.ext").write_text(f"{usage}\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n")
        openssl(folder, "req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/O=Clocks/CN={name}")
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", f"{name}.pem",
            "-days", "30", "-extfile", f"{name}.ext",
        )  # fmt: skip
    (folder / "tsa.cnf").write_text(CONFIGURATION)
    (folder / "chain.cnf").write_text(CONFIGURATION + "certs = ./root.pem\n")
    return folder


@pytest.fixture
def ask(authority: Path) -> Ask:
    """The authority's answer to a request."""

    def answer(request: bytes, configuration: str = "tsa.cnf") -> bytes:
        (authority / "request.tsq").write_bytes(request)
        openssl(authority, "ts", "-reply", "-config", configuration, "-queryfile", "request.tsq", "-out", "response.tsr")
        return (authority / "response.tsr").read_bytes()

    return answer


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))


def test_a_request_is_of_the_digest_and_tells_nothing_else(bundle: Path) -> None:
    request = write_request(bundle)
    assert len(request) < 128
    assert b"golden" not in request
    assert write_request(bundle) != request  # a nonce tells each request from every other


@pytest.mark.parametrize("configuration", ["tsa.cnf", "chain.cnf"])
def test_a_stamp_of_a_trusted_authority_is_told_with_its_time_and_name(bundle: Path, authority: Path, ask: Ask, configuration: str) -> None:
    files = verify_bundle(bundle).files
    trusted = read_certificates(authority / "root.pem")
    stamp = attach_timestamp(bundle, ask(write_request(bundle), configuration), trusted)
    assert stamp.judged
    assert (stamp.of, stamp.authority) == ("manifest.json", "CN=authority,O=Clocks")
    assert abs(stamp.time - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)
    verified = verify_bundle(bundle)
    assert verified.files == files
    assert verify_timestamp(verified, trusted) == stamp
    claimed = verify_timestamp(verified, ())
    assert claimed is not None
    assert (claimed.judged, claimed.time) == (False, stamp.time)
    write_manifests(bundle)
    assert verify_timestamp(verify_bundle(bundle), trusted) == stamp


def test_a_stamp_is_of_the_signature_where_there_is_one_and_goes_with_a_published_copy(
    bundle: Path, tmp_path: Path, authority: Path, ask: Ask
) -> None:
    trusted = read_certificates(authority / "root.pem")
    sign_bundle(bundle, generate_signing_key(), model_id="credit", version=1)
    assert attach_timestamp(bundle, ask(write_request(bundle)), trusted).of == "attestation.dsse.json"
    stamp = verify_timestamp(verify_bundle(publish(bundle, tmp_path / "public").folder), trusted)
    assert stamp is not None
    assert stamp.of == "attestation.dsse.json"
    # Another signature was not there at that time.
    sign_bundle(bundle, generate_signing_key(), model_id="credit", version=1, replace=True)
    with pytest.raises(IntegrityError, match="is a time stamp of something else"):
        verify_timestamp(verify_bundle(bundle), ())


def test_a_stamp_of_the_manifest_outlives_a_signature_that_is_added(bundle: Path, authority: Path, ask: Ask) -> None:
    trusted = read_certificates(authority / "root.pem")
    before = attach_timestamp(bundle, ask(write_request(bundle)), trusted)
    sign_bundle(bundle, generate_signing_key(), model_id="credit", version=1)
    assert verify_timestamp(verify_bundle(bundle), trusted) == before


def test_a_stamp_of_something_else_or_of_a_stranger_is_refused_and_not_kept(
    bundle: Path, tmp_path: Path, authority: Path, ask: Ask
) -> None:
    other = Path(shutil.copytree(GOLDEN, tmp_path / "other"))
    (other / "run.json").write_text("{}")
    write_manifests(other)
    (other / "policy.toml").write_text("")
    write_manifests(other)
    trusted, stranger = (read_certificates(authority / name) for name in ("root.pem", "other.pem"))
    response = ask(write_request(bundle))
    with pytest.raises(IntegrityError, match="is a time stamp of something else"):
        attach_timestamp(bundle, ask(write_request(other)), trusted)
    with pytest.raises(IntegrityError, match="is not the word of an authority whose certificate was given"):
        attach_timestamp(bundle, response, stranger)
    assert not (bundle / "timestamp.tsr").exists()
    attach_timestamp(bundle, response, trusted)
    with pytest.raises(IntegrityError, match="is not the word of an authority"):
        verify_timestamp(verify_bundle(bundle), stranger)


def test_a_certificate_for_another_purpose_stamps_nothing(bundle: Path, authority: Path) -> None:
    # OpenSSL refuses to sign under it, so the answer names it after the fact: another certificate than the one that signed.
    (authority / "shop.cnf").write_text(CONFIGURATION.replace("authority.", "shop."))
    (authority / "request.tsq").write_bytes(write_request(bundle))
    done = subprocess.run(
        [str(OPENSSL), "ts", "-reply", "-config", "shop.cnf", "-queryfile", "request.tsq", "-out", "shop.tsr"],
        cwd=authority, capture_output=True, check=False,
    )  # fmt: skip
    response = (authority / "shop.tsr").read_bytes() if done.returncode == 0 else b"refused"
    with pytest.raises(IntegrityError):
        attach_timestamp(bundle, response, read_certificates(authority / "root.pem"))


def test_no_bit_of_a_stamp_can_be_changed(bundle: Path, authority: Path, ask: Ask) -> None:
    trusted, response = read_certificates(authority / "root.pem"), ask(write_request(bundle))
    for place in range(40, len(response), 37):
        changed = response[:place] + bytes([response[place] ^ 1]) + response[place + 1 :]
        try:
            stamp = attach_timestamp(bundle, changed, trusted, replace=True)
        except IntegrityError:
            continue
        # What no signature covers is how the chain of certificates is written; the word itself stays.
        assert stamp.of == "manifest.json"
        assert abs(stamp.time - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x30\x03\x02\x01\x02", b"\x30\x82\xff\xff", bytes(1000)])
def test_what_is_no_response_is_refused(bundle: Path, authority: Path, content: bytes) -> None:
    with pytest.raises(IntegrityError):
        attach_timestamp(bundle, content, read_certificates(authority / "root.pem"))
    assert in_order(content) == content


def test_a_request_that_the_authority_refused_is_told_with_its_reason(bundle: Path, authority: Path, ask: Ask) -> None:
    request = write_request(bundle)
    (authority / "strict.cnf").write_text(CONFIGURATION.replace("sha256, sha512", "sha256"))
    with pytest.raises(IntegrityError, match="the authority refused the time stamp"):
        attach_timestamp(bundle, ask(request, "strict.cnf"), read_certificates(authority / "root.pem"))


def test_an_earlier_stamp_says_more_and_is_not_lost(bundle: Path, authority: Path, ask: Ask) -> None:
    trusted = read_certificates(authority / "root.pem")
    attach_timestamp(bundle, ask(write_request(bundle)), trusted)
    before = (bundle / "timestamp.tsr").read_bytes()
    with pytest.raises(ConfigurationError, match="has a time stamp, which would be lost"):
        attach_timestamp(bundle, ask(write_request(bundle)), trusted)
    assert (bundle / "timestamp.tsr").read_bytes() == before
    attach_timestamp(bundle, ask(write_request(bundle)), trusted, replace=True)
    assert (bundle / "timestamp.tsr").read_bytes() != before


def test_a_changed_bundle_is_not_stamped(bundle: Path) -> None:
    (bundle / "run.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"run\.json was changed"):
        write_request(bundle)


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    for name in ("ca.pem", "nowhere.pem"):
        with pytest.raises(ConfigurationError, match=name):
            read_certificates(tmp_path / name)
