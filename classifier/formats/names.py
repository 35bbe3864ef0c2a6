"""Names that tell series, graphs and nodes apart."""

from __future__ import annotations

from typing import Any

import pandas as pd

from classifier.columns import as_text


def names_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of names as strings, without blanks around them; ``None`` where there is none.

    A whole number is written without a decimal point, and not by way of a float: that would make one of two long numbers.
    """
    text = as_text(column).astype(object)
    absent = text.isna()
    tidied = text.astype(str).str.strip().str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True).astype(object)
    return tidied.where(~absent & (tidied != ""), None)
