"""An error says what is wrong, and what to do next."""

from __future__ import annotations

import pytest

from classifier import errors


def test_an_error_says_the_problem_and_the_remedy() -> None:
    error = errors.DataError("the table has no rows", remedy="check that the file is whole")
    assert str(error) == "the table has no rows; check that the file is whole"
    assert (error.problem, error.remedy) == ("the table has no rows", "check that the file is whole")
    assert str(errors.DataError("the table has no rows")) == "the table has no rows"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.AssayError, 5),
        (errors.ConfigurationError, 2),
        (errors.DataError, 2),
        (errors.ModelError, 2),
        (errors.NotApplicableError, 2),
        (errors.StorageError, 2),
        (errors.IntegrityError, 4),
        (errors.UnsealError, 4),
    ],
)
def test_an_error_has_its_exit_code(kind: type[errors.AssayError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, errors.AssayError)


def test_the_nearest_name_is_given_or_all_of_them() -> None:
    assert errors.did_you_mean("creditabilty", ["age", "creditability"]) == "did you mean 'creditability'?"
    assert errors.did_you_mean("zzz", ["b", "a"]) == "there are: a, b"
    assert errors.did_you_mean("zzz", []) == "there are none"
    assert errors.did_you_mean(1, ["0", "1"]) == "did you mean '1'?"
