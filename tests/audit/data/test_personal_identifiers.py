"""The scan for personal identifiers: published numbers are found, one changed character is not, and chance raises no alarm."""

from __future__ import annotations

import string
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.personal_identifiers import Found, scan_columns
from audit.data.personal_identifiers.column_names import QUASI, named_as
from audit.data.personal_identifiers.kind import KINDS
from audit.data.personal_identifiers.masking import masked

# Published as examples by those who issue the numbers, or by the standards; none is anybody's.
PUBLISHED = {
    "payment_card": ["4111 1111 1111 1111", "5555555555554444", "2223003122003222", "378282246310005", "6011111111111117", "30569309025904",
                     "3530111333300000", "6200000000000005", "4222222222222"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR14 2004 1010 0505 0001 3M02 606", "NO93 8601 1117 947",
             "MT84 MALT 0110 0001 2345 MTLC AST0 01S", "gb82west12345698765432"],
    "chinese_identity": ["11010519491231002X", "11010519491231002x", "440524188001010014"],
    "chinese_social_credit": ["91350100M000100Y43"],
    "passport_mrz": ["L898902C36UTO7408122F1204159ZE184226B<<<<<10", "D231458907UTO7408122F1204159<<<<<<<6",
                     "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6"],
}  # fmt: skip
FORMS = {
    "email": (
        ["a.b+c@example.co.uk", "zoë@example.org", "write to <x_1@sub.example.com>!"],
        ["x@y", "a..b@example.com", ".a@example.com", "a@-b.com", "@b.com"],
    ),
    "telephone": (
        ["+49 30 1234567", "+86 139 1234 5678", "+44 (0) 30 / 1234567", "+1 (212) 555-0100", "+49.301234567"],
        ["+49", "+999 1234567", "1+23456789", "+116.397128"],
    ),
    "telephone_00": (
        ["0044 20 7946 0958", "tel 0049-30-1234567"],
        ["00441234567890", "0012-34567890", "00123/2024/5678", "12 0044 20 7946 0958", "DE89 3704 0044 0532 0130 00"],
    ),
    "chinese_mobile": (
        ["13912345678", "tel. 139-1234-5678", "86 19912345678"],
        ["12012345678", "139123456789", "3.13912345678", "13912345678.5"],
    ),
    "chinese_identity_15": (["110105491231002"], ["110105491331002", "990105491231002", "1101054912310021"]),
    "chinese_passport": (["E12345678", "EA1234567", "g12345678", "PE1234567"], ["EI1234567", "E1234567", "Z12345678"]),
    "ip_address": (
        ["192.168.0.254", "2001:db8::1:2", "from 8.8.44.8:80"],
        ["256.1.1.99", "1.2.3.4", "12:30:45", "1.2.3.44.5", "std::vector"],
    ),
}


def found(kind: str, text: str) -> bool:
    return any(KINDS[kind].holds(candidate) for candidate in KINDS[kind].candidates(text))


def of(values: object, name: str = "c") -> dict[str, Found]:
    return {entry.kind: entry for entry in scan_columns(pd.DataFrame({name: values})) if entry.alarm}


def test_every_kind_has_examples_here() -> None:
    assert set(KINDS) == PUBLISHED.keys() | FORMS.keys()


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind, numbers in PUBLISHED.items() for number in numbers])
def test_a_published_number_is_found_and_with_one_digit_changed_it_is_not(kind: str, number: str) -> None:
    assert found(kind, number)
    assert found(kind, f"see: {number}; thanks")
    for place in [place for place, character in enumerate(number) if character.isdigit()]:
        for digit in set(string.digits) - {number[place]}:
            changed = number[:place] + digit + number[place + 1 :]
            # Check digits of ICAO 9303 repeat every tenth letter, and digits alone differ by less; those of Luhn, mod 97,
            # mod 11-2 and mod 31 show every change of one digit.
            assert not found(kind, changed), changed


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_is_told_from_what_looks_like_it(kind: str) -> None:
    right, wrong = FORMS[kind]
    assert [text for text in right if not found(kind, text)] == []
    assert [text for text in wrong if found(kind, text)] == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "passport_mrz"])
def test_what_stands_between_chinese_characters_without_a_blank_is_found(kind: str) -> None:
    number = (PUBLISHED.get(kind) or FORMS[kind][0])[0]
    assert found(kind, f"客户资料{number}已核实并要求延期")
    assert found(kind, f"客户资料：{number}。")
    assert kind == "email" or found(kind, f"No.{number}")
    assert found(kind, number + "已核实" * 30)


@pytest.mark.parametrize("kind", ["chinese_mobile", "payment_card", "telephone"])
def test_remarks_that_hold_numbers_are_an_alarm(kind: str) -> None:
    generator = np.random.default_rng(0)
    digits = ["".join(map(str, row)) for row in generator.integers(0, 10, (4000, 12))]
    numbers = {"chinese_mobile": [f"138{each[:8]}" for each in digits], "telephone": [f"+49{each[:9]}" for each in digits],
               "payment_card": [f"4111{each}" for each in digits if KINDS["payment_card"].holds(f"4111{each}")]}[kind]  # fmt: skip
    assert of([f"号码{number}要求延期" for number in numbers[:170]] + ["按时还款"] * 330)[kind].alarm


def test_digits_of_full_width_and_blanks_that_do_not_break_are_read() -> None:
    wide = {ord(digit): ord(digit) + 0xFEE0 for digit in string.digits}
    generator = np.random.default_rng(0)
    bodies = [f"11010519{year}1231{number:03d}" for year, number in zip(range(50, 99), generator.integers(0, 999, 49), strict=True)]
    numbers = [body + digit for body in bodies for digit in string.digits if KINDS["chinese_identity"].holds(body + digit)]
    assert of([number.translate(wide) for number in numbers])["chinese_identity"].alarm
    cards = [f"4111 {a:04d} {b:04d} {c:04d}".replace(" ", "\xa0") for a, b, c in generator.integers(0, 9999, (900, 3))]
    genuine = [card for card in cards if KINDS["payment_card"].holds(card.replace("\xa0", ""))]
    assert of(genuine)["payment_card"].alarm


def test_a_number_inside_a_longer_one_is_none() -> None:
    for kind in ("payment_card", "chinese_identity", "chinese_mobile"):
        for number in PUBLISHED.get(kind, ["13912345678"])[-1:]:
            for text in (f"9{number}", f"{number}9", f"a{number}", f"1.{number}", f"{number}.5"):
                assert not found(kind, text), text


@pytest.mark.parametrize("length", [9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
def test_random_digits_raise_no_alarm(length: int) -> None:
    generator = np.random.default_rng(length)
    digits = generator.integers(0, 10, (2000, length))
    assert of(["".join(map(str, row)) for row in digits]) == {}
    assert of(["1" + "".join(map(str, row[1:])) for row in digits]) == {}


def in_groups(digits: np.ndarray, *lengths: int) -> list[str]:
    edges = np.cumsum((0, *lengths))
    return ["-".join("".join(map(str, row[a:b])) for a, b in pairwise(edges)) for row in digits]


@pytest.mark.parametrize("seed", range(10))
def test_codes_in_groups_raise_no_alarm(seed: int) -> None:
    digits = np.random.default_rng(seed).integers(0, 10, (300, 12))
    assert of([f"INV-{code}" for code in in_groups(digits, 4, 4, 4)]) == {}
    assert of([f"00{code}" for code in in_groups(digits, 2, 4, 4)]) == {}
    assert of([f"0012-{code}" for code in in_groups(digits, 8)]) == {}
    assert of([f"POINT(+{a}.{b} 9)" for a, b in (code.split("-") for code in in_groups(digits, 3, 6)) if a[0] != "0"]) == {}


COUNTERS = ["4" + "0" * 15, "5105105105100000", "110105194912310000", "911101010000000000", "13800000000", "17000000000", "110105491231000"]


@pytest.mark.parametrize("start", COUNTERS)
def test_numbers_that_count_on_raise_no_alarm(start: str) -> None:
    assert of([str(int(start) + step) for step in range(2000)]) == {}


def test_check_digits_that_chance_explains_are_told_and_those_that_it_does_not_are_an_alarm() -> None:
    generator = np.random.default_rng(0)
    bodies = ["4" + "".join(map(str, row)) for row in generator.integers(0, 10, (1000, 14))]
    cards = [body + next(d for d in string.digits if KINDS["payment_card"].holds(body + d)) for body in bodies]
    noise = [body + str(generator.integers(10)) for body in bodies]
    (by_chance,) = scan_columns(pd.DataFrame({"c": noise}))
    assert not by_chance.alarm
    assert 0.05 < by_chance.hits / by_chance.candidates < 0.15
    alarm = of(cards)["payment_card"]
    assert (alarm.hits, alarm.candidates, alarm.share.n) == (1000, 1000, 1000)
    # A fifth of genuine numbers among random ones is far beyond chance.
    assert of(cards[:200] + noise[200:])["payment_card"].evidence == "checksum"
    # One number repeated is one number.
    assert of(["4111111111111111"] * 1000) == {}


def test_the_share_has_its_interval_and_examples_are_masked() -> None:
    values = [f"user{i}@example.com" for i in range(20)] + ["none"] * 5 + [f"no {i}" for i in range(79)]
    entry = of(values)["email"]
    assert (entry.share.value, entry.share.n, entry.share.interval) == (0.2, 100, "wilson")
    assert entry.share.low is not None
    assert entry.share.low < 0.2
    assert entry.example == "xxxx9@xxxxxxx.xxx"


@given(st.text())
def test_a_mask_shows_no_letter_and_no_digit(text: str) -> None:
    assert not {character for character in masked(text) if character.isalnum()} - {"x", "9"}


@pytest.mark.parametrize("examples", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_any_text_is_scanned_without_an_error(examples: int) -> None:
    alphabet = st.one_of(st.characters(), st.sampled_from("0123456789@.+-:<> XxEGB()٣٤²"))
    # Published numbers with a character changed: few of all texts have a form at all.
    forms = [number for numbers in PUBLISHED.values() for number in numbers] + [number for right, _ in FORMS.values() for number in right]
    changed = st.builds(
        lambda form, place, other: form[:place] + other + form[place + 1 :], st.sampled_from(forms), st.integers(0, 60), alphabet
    )

    @settings(max_examples=examples, deadline=None)
    @given(st.one_of(st.text(alphabet, max_size=60), changed))
    def scan(text: str) -> None:
        for identifier in KINDS:
            assert all(KINDS[identifier].holds(candidate) in (True, False) for candidate in KINDS[identifier].candidates(text))

    scan()


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "1" * 50_000, "a." * 25_000, "1 " * 25_000, "a@" * 25_000, ":" * 50_000, "A1" * 25_000 + "@"]
)
def test_no_cell_takes_long(text: str) -> None:
    """Quadratic searching would take minutes, and the test would be stopped."""
    assert [identifier for identifier in KINDS if found(identifier, text)] == []


def test_a_column_is_known_by_its_name_where_its_cells_do_not_contradict_it() -> None:
    names = [f"{chr(97 + i % 26)}{i}" for i in range(60)]
    assert of(names, "Last Name")["names"].evidence == "name"
    assert of(names, "客户姓名")["names"].evidence == "name"
    assert of(names, "customerId")["numbers of persons"].evidence == "name"
    assert of(["yes", "no"] * 30, "telephone") == {}
    assert of([f"0{30 + i % 9}/{1_234_567 + i}" for i in range(60)], "telephone")["international telephone numbers"].evidence == "name"
    assert of([52.5 + i / 100 for i in range(60)], "latitude")["addresses"].evidence == "name"
    assert of(range(60), "customer_id")["numbers of persons"].evidence == "name"
    assert of(names, "filename") == {}
    assert of([f"E{i:08d}" for i in range(60)], "code") == {}
    assert of([f"E{i:08d}" for i in range(60)], "passport_no")["chinese_passport"].alarm


@pytest.mark.parametrize(
    "column", ["mobile_logins", "cell_count", "mail_opens", "months_at_address", "years_at_address", "device_count", "id_checks"]
)
def test_a_count_is_no_identifier_whatever_it_is_called(column: str) -> None:
    assert of([i % 90 for i in range(500)], column) == {}


@pytest.mark.parametrize("column", ["account_balance", "card_limit", "licence_fee"])
def test_an_amount_is_no_identifier_whatever_it_is_called(column: str) -> None:
    assert of([500.0 + 7.25 * i for i in range(500)], column) == {}
    assert column == "licence_fee" or of([500 * i for i in range(60)], column) == {}


@pytest.mark.parametrize(
    ("column", "word"), [("age_years", "age"), ("HomeZipCode", "zip"), ("性别代码", "性别"), ("average", None), ("stage", None)]
)
def test_words_of_a_name_are_whole_words(column: str, word: str | None) -> None:
    assert named_as(column, QUASI) == word
