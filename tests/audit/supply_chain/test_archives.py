"""Archives: what leads out of them, hides in them, or is more than it seems; each test changes one thing of an archive that passes."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import pytest

from audit.supply_chain.archives import packed

Rules = Callable[..., set[str]]


def make_zip(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = comment
    return buffer.getvalue()


PLAIN = make_zip(("a", b"first"), ("b", b"second"))


def test_an_archive_as_any_program_writes_it_raises_no_alarm(rules: Rules) -> None:
    assert rules(PLAIN, "a.zip") == set()
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert rules(make_zip(("folder/", b""), ("folder/a", b"x" * 5000), ("empty", b""), method=method), "a.zip") == set()
    assert rules(make_zip(comment=b"nothing in it"), "a.zip") == set()
    streamed = io.BytesIO()
    with zipfile.ZipFile(Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"with a descriptor behind it" * 9)
    assert rules(streamed.getvalue(), "a.zip") == set()
    wide = io.BytesIO()
    with zipfile.ZipFile(wide, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"in 64-bit fields")
    assert rules(wide.getvalue(), "a.zip") == set()


class Unseekable(io.RawIOBase):
    """A stream into which nobody can go back, so that sizes follow the members."""

    def __init__(self, target: io.BytesIO) -> None:
        self.target = target

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        return self.target.write(content)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../a", "/etc/a", "C:/a", "a/../../b", "..\\a", "\\a", "a\\b", "a\nb"])
def test_a_name_that_leads_elsewhere_is_found(name: str, rules: Rules) -> None:
    member = zipfile.ZipInfo("x" * len(name))
    content = make_zip((member, b"x")).replace(b"x" * len(name), name.encode())
    assert "archive.path" in rules(content, "a.zip")
    assert "archive.path" in rules(make_tar(tarfile.TarInfo(name)), "a.tar")


def test_a_link_in_an_archive_is_found(rules: Rules) -> None:
    member = zipfile.ZipInfo("a")
    member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert "archive.link" in rules(make_zip((member, b"/etc/passwd")), "a.zip")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        link = tarfile.TarInfo("a")
        link.type, link.linkname = kind, "/etc/passwd"
        assert "archive.link" in rules(make_tar(link), "a.tar")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_found(rules: Rules) -> None:
    assert "archive.duplicate" in rules(make_zip(("a", b"1"), ("a", b"2")), "a.zip")
    assert "archive.duplicate" in rules(make_zip(("a/b", b"1"), ("a//b", b"2")), "a.zip")
    assert rules(make_zip(("Model", b"1"), ("model", b"2")), "a.zip") == {"archive.case"}
    assert "archive.duplicate" in rules(make_tar(tarfile.TarInfo("a"), tarfile.TarInfo("./a")), "a.tar")


def patched(content: bytes, mark: bytes, offset: int, form: str, value: int, *, nth: int = 0) -> bytes:
    """The archive with one field of its nth record of that mark replaced."""
    place = -1
    for _ in range(nth + 1):
        place = content.index(mark, place + 1)
    width = struct.calcsize(form)
    return content[: place + offset] + struct.pack(form, value) + content[place + offset + width :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("mark", "offset", "form", "value"),
    [
        (LOCAL, 8, "<H", 8),  # method
        (LOCAL, 6, "<H", 1),  # encrypted
        (LOCAL, 14, "<I", 1),  # checksum
        (LOCAL, 18, "<I", 3),  # packed size
        (LOCAL, 22, "<I", 3),  # size
        (LOCAL, 30, "<B", ord("c")),  # name
        (LOCAL, 0, "<I", 0),  # no header
        (CENTRAL, 42, "<I", 1),  # place of the header
        (CENTRAL, 20, "<I", 1 << 30),  # packed size
        (CENTRAL, 28, "<H", 60_000),  # length of the name
        (END, 10, "<H", 3),  # members
        (END, 8, "<H", 3),  # members on this disk
        (END, 12, "<I", 1),  # size of the directory
        (END, 16, "<I", 1 << 30),  # place of the directory
        (END, 4, "<H", 1),  # disk
    ],
)
def test_records_that_contradict_each_other_are_found(mark: bytes, offset: int, form: str, value: int, rules: Rules) -> None:
    found = rules(patched(PLAIN, mark, offset, form, value), "a.zip")
    assert found & {"zip.malformed", "zip.polyglot"}, found


def test_content_that_is_not_what_its_checksum_says_is_found(rules: Rules) -> None:
    assert rules(PLAIN.replace(b"second", b"sEcond"), "a.zip") == {"archive.damaged"}
    content = make_zip(("a", b"x" * 5000), method=zipfile.ZIP_DEFLATED)
    assert "archive.damaged" in rules(patched(patched(content, CENTRAL, 24, "<I", 7), LOCAL, 22, "<I", 7), "a.zip")
    assert "archive.damaged" in rules(gzip.compress(b"x" * 100)[:-9], "a.gz")
    assert "archive.damaged" in rules(gzip.compress(b"x" * 100) + b"behind", "a.gz")


def test_properties_of_lzma_that_no_program_takes_are_damage(rules: Rules) -> None:
    content = make_zip(("a", b"x" * 500), method=zipfile.ZIP_LZMA)
    place = content.index(b"\x05\x00]") + 2
    for properties in (b"\xff", b"\x0c\x00\x00\x00\xff", b"\x80"):
        changed = content[:place] + properties + content[place + len(properties) :]
        assert "archive.damaged" in rules(changed, "a.zip")


def test_bytes_before_between_and_behind_are_found(rules: Rules) -> None:
    assert "zip.polyglot" in rules(b"before" + PLAIN, "a.zip")
    assert "zip.polyglot" in rules(PLAIN + b"behind", "a.zip")
    place = PLAIN.index(CENTRAL)
    shifted = PLAIN[:place] + b"hidden" + PLAIN[place:]
    assert "zip.polyglot" in rules(patched(shifted, END, 16, "<I", place + 6), "a.zip")
    assert "zip.polyglot" in rules(make_zip(("a", b"x"), comment=make_zip()), "a.zip")
    assert "zip.malformed" in rules(make_zip(("a", b"x"), comment=END + bytes(16) + b"\xff\xff"), "a.zip")
    assert "zip.polyglot" in rules(make_tar(tarfile.TarInfo("a")) + b"behind", "a.tar")


def test_members_that_overlap_are_found(rules: Rules) -> None:
    """As in a bomb of one kernel that all members share."""
    place = PLAIN.index(CENTRAL, PLAIN.index(CENTRAL) + 1)
    content = PLAIN[:place] + PLAIN[PLAIN.index(CENTRAL) : place] + PLAIN[place + (place - PLAIN.index(CENTRAL)) :]
    assert "zip.malformed" in rules(content, "a.zip")


def test_a_member_that_needs_a_key_is_told(rules: Rules) -> None:
    content = patched(patched(PLAIN, LOCAL, 6, "<H", 1), CENTRAL, 8, "<H", 1)
    assert rules(content, "a.zip") == {"archive.encrypted"}


def test_an_archive_that_unpacks_to_too_much_is_found_and_left(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(4 << 20)
    archive = make_zip(("a", zeros), method=zipfile.ZIP_DEFLATED)
    assert rules(archive, "a.zip") == set()
    monkeypatch.setattr(packed, "ALWAYS", 1 << 20)
    assert rules(archive, "a.zip") == {"archive.bomb"}
    assert rules(gzip.compress(zeros), "a.gz") == {"archive.bomb"}
    assert rules(zlib.compress(zeros), "a.joblib") == {"archive.bomb"}


def test_archives_in_archives_are_followed_to_a_depth(rules: Rules) -> None:
    content = make_zip(("a", b"x"))
    for _ in range(5):
        content = make_zip(("a.zip", content))
    assert rules(content, "a.zip") == set()
    assert "archive.deep" in rules(make_zip(("a.zip", make_zip(("b.zip", content)))), "a.zip")


@pytest.mark.parametrize(
    ("mark", "name"),
    [(b"\x04\x22\x4d\x18", "a.joblib"), (b"\x28\xb5\x2f\xfd", "a.zst"), (b"7z\xbc\xaf\x27\x1c", "a.7z"), (b"Rar!\x1a\x07", "a.rar")],
)
def test_what_cannot_be_looked_into_is_told(mark: bytes, name: str, scanned: Callable[..., object]) -> None:
    scan = scanned(mark + bytes(100), name)
    assert [finding.rule for finding in scan.findings] == ["archive.opaque"]  # type: ignore[attr-defined]
    # A program that opens pickles would open this one.
    assert scan.findings[0].severity == ("high" if name == "a.joblib" else "medium")  # type: ignore[attr-defined]
    assert [file.name for file in scan.not_looked_into] == [name]  # type: ignore[attr-defined]


def make_tar(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return buffer.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_of_every_dialect_raises_no_alarm(form: int, rules: Rules) -> None:
    long, folder = tarfile.TarInfo("a/" * 40 + "b" * (90 if form != tarfile.USTAR_FORMAT else 20)), tarfile.TarInfo("folder")
    long.size, folder.type = 1000, tarfile.DIRTYPE
    assert rules(make_tar(folder, long, form=form), "a.tar") == set()


def test_a_tar_that_ends_early_is_found(rules: Rules) -> None:
    member = tarfile.TarInfo("a")
    member.size = 2000
    assert "tar.malformed" in rules(make_tar(member)[:1500], "a.tar")
    assert "tar.malformed" in rules(make_tar(member)[:2560] + b"x" * 512, "a.tar")
