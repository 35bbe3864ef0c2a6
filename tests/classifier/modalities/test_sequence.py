"""Series: they come back from encoding, their players are stretches, and what was not observed stays so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from classifier import Dataset, Feature, Schema
from classifier.errors import AssayError, ConfigurationError, DataError
from classifier.modalities.sequence import Series, series_frame
from classifier.modality import modality_of
from classifier.seeds import Seed

FLAG = Feature("(observed)", "binary", mutable=False)
PULSE = Feature("pulse", "integer", low=30.0, high=200.0, unit="bpm")
SCHEMAS = {
    "one variable": Schema("sequence", (Feature("value", "continuous", low=-2.0, high=3.0),), size=(70,)),
    "one variable, ragged": Schema("sequence", (Feature("value", "continuous", low=-2.0, high=3.0), FLAG), size=(70,)),
    "several, ragged": Schema(
        "sequence",
        (PULSE, Feature("drug", "categorical", categories=("none", "a", "b")), Feature("awake", "binary", categories=("no", "yes")), FLAG),
        size=(25,),
    ),
    "natural": Schema("sequence", (PULSE, Feature("drift", "continuous", scale=2.0), FLAG), encoding="natural", size=(11,)),
}


@pytest.fixture(params=SCHEMAS)
def modality(request: pytest.FixtureRequest) -> Series:
    found = modality_of(SCHEMAS[request.param])
    assert isinstance(found, Series)
    return found


def series(modality: Series, seed: int, count: int = 9) -> pd.DataFrame:
    """Series drawn at random, of all lengths where the schema lets them differ."""
    generator, (extent,) = Seed(seed, ("series",)).numpy(), modality.schema.size
    cells = np.empty(count, dtype=object)
    for index in range(count):
        length = int(generator.integers(1, extent + 1)) if FLAG in modality.schema.features else extent
        columns: dict[str, Any] = {}
        for feature in modality.schema.features:
            if feature.categories:
                columns[feature.name] = generator.choice(list(feature.categories), length)
            elif feature.kind == "integer":
                columns[feature.name] = generator.integers(30, 201, length).astype(float)
            elif feature != FLAG:
                columns[feature.name] = generator.uniform(-2, 3, length).round(3)
        cells[index] = pd.DataFrame(columns)
    return pd.DataFrame({"series": pd.Series(cells, dtype=object)})


def rows(modality: Series, seed: int, count: int = 9) -> torch.Tensor:
    return modality.schema.encode(series(modality, seed, count))


def test_decoding_gives_back_what_was_encoded(modality: Series) -> None:
    given = series(modality, 0)
    for before, after in zip(given["series"], modality.decode(modality.encode(given))["series"], strict=True):
        pd.testing.assert_frame_equal(before.astype(object), after.astype(object), check_exact=False, rtol=1e-5)


def test_what_is_not_observed_repeats_the_last_step_and_is_flagged(modality: Series) -> None:
    if FLAG not in modality.schema.features:
        return
    given = series(modality, 1)
    x = modality.encode(given)
    for row, cell in zip(x, given["series"], strict=True):
        assert row[:, -1].tolist() == [1.0] * len(cell) + [0.0] * (len(row) - len(cell))
        assert (row[len(cell) :, :-1] == row[len(cell) - 1, :-1]).all()


def test_every_element_belongs_to_a_player_and_there_are_few(modality: Series) -> None:
    assert modality.membership.shape == modality.schema.shape
    assert modality.membership.unique().tolist() == list(range(len(modality.players)))
    assert len(modality.players) <= 32
    assert len(set(modality.players)) == len(modality.players)


def test_a_player_is_a_stretch_of_one_variable() -> None:
    assert modality_of(SCHEMAS["one variable"]).players[:2] == ("steps 1 to 3", "steps 4 to 6")
    assert modality_of(SCHEMAS["one variable"]).players[-1] == "step 70"
    several = modality_of(SCHEMAS["several, ragged"])
    assert several.players[0] == "pulse, steps 1 to 4"
    assert several.players[-1] == "(observed), step 25"
    drug = several.membership[:, several.schema.groups["drug"]]
    assert {several.players[index] for index in drug[:4].flatten()} == {"drug, steps 1 to 4"}


def test_gather_takes_back_what_spread_laid_out(modality: Series) -> None:
    x = rows(modality, 0)
    values = torch.randn(len(x), len(modality.players), generator=Seed(0).torch())
    spread = modality.spread(values, x)
    assert spread.shape == x.shape
    assert torch.allclose(modality.gather(spread), values, atol=1e-5)


def test_mask_takes_whole_stretches_from_the_replacement(modality: Series) -> None:
    x, other = rows(modality, 0), rows(modality, 1)
    present = torch.rand(len(x), len(modality.players), generator=Seed(0).torch()) < 0.5
    masked = modality.mask(x, present, other)
    kept = present[:, modality.membership]
    assert torch.equal(masked[kept], x[kept])
    assert torch.equal(masked[~kept], other[~kept])
    assert modality.mask(x[:1, None, None], present[:3, None], other[:7]).shape == (1, 3, 7, *modality.schema.shape)


def test_series_of_the_data_are_valid(modality: Series) -> None:
    assert modality.valid(rows(modality, 3, 50)).all()


@pytest.mark.parametrize("reach", [0.05, 0.4, 1.0])
def test_a_repaired_series_is_valid_and_no_farther_from_the_centre(modality: Series, reach: float) -> None:
    centre = rows(modality, 4, 20)
    noise = 2 * torch.rand(centre.shape, generator=Seed(5).torch()) - 1
    low, high = modality.schema.bounds
    x = (centre + reach * noise * modality.schema.scale).clamp(low, high)
    repaired = modality.repair(x, centre)
    assert modality.valid(repaired).all()
    assert (((repaired - centre).abs() - (x - centre).abs()) / modality.schema.scale).max() <= 1e-4
    unseen = modality.observed(centre) == 0
    assert torch.equal(repaired[unseen], centre[unseen])


def test_a_series_that_goes_on_after_its_end_or_never_begins_is_invalid() -> None:
    modality = modality_of(SCHEMAS["one variable, ragged"])
    x = torch.full((3, *modality.schema.shape), 0.5)
    x[:, :, 1] = 0
    x[0, :5, 1] = 1
    x[1, :5, 1] = 1
    x[1, 7, 1] = 1
    assert modality.valid(x).tolist() == [True, False, False]


def test_nobody_can_change_whether_a_step_was_observed(modality: Series) -> None:
    fall, rise = modality.movable
    flagged = FLAG in modality.schema.features
    assert fall[:, -1].any() != flagged
    assert rise[:, -1].any() != flagged
    assert fall[:, 0].all()


def test_the_typical_series_is_the_mean_of_what_was_observed() -> None:
    modality = modality_of(SCHEMAS["one variable, ragged"])
    cells = [np.full(70, 0.5), np.full(70, 1.5), np.full(10, 2.5)]
    x = modality.encode(pd.DataFrame({"series": pd.Series(cells, dtype=object)}))
    typical = modality.decode(modality.typical(x)[None])["series"][0]["value"]
    assert typical.tolist() == pytest.approx([1.5] * 10 + [1.0] * 60)
    assert modality.valid(modality.typical(x)[None]).all()


def test_the_neutral_series_is_in_the_middle_and_observed(modality: Series) -> None:
    neutral = modality.neutral()
    low, high = modality.schema.bounds
    assert neutral.isfinite().all()
    assert ((neutral >= low) & (neutral <= high)).all()
    assert (modality.observed(neutral[None]) == 1).all()


def test_words_are_means_in_natural_units() -> None:
    modality = modality_of(SCHEMAS["several, ragged"])
    cell = pd.DataFrame({"pulse": [60, 70, 80, 90, 100.0], "drug": ["a", "a", "b", "a", "b"], "awake": ["yes"] * 5})
    words = modality.words(modality.encode(pd.DataFrame({"series": [cell]})))[0]
    assert list(words) == list(modality.players)
    assert words["pulse, steps 1 to 4"] == "75 bpm"
    assert words["pulse, steps 5 to 8"] == "100 bpm"
    assert words["drug, steps 1 to 4"] == "a"
    assert words["(observed), steps 5 to 8"] == "1 of 4 steps"
    assert words["pulse, steps 9 to 12"] == "not observed"


TS = """# Made by hand
@problemName Two
@timeStamps false
@missing {missing}
@univariate false
@classLabel true up down
@data
1,2,3:10,20,30:up
3,2{gap}:30,20:down
1.5,2.5,3.5,4.5:1,2,3,4:up
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_ts_file_of_several_dimensions_and_lengths_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "two.ts", TS.format(missing="false", gap=""))
    data = Dataset.read(path, target="label", modality="sequence", event="down")
    assert data.schema.names == ("variable 1", "variable 2", "(observed)")
    assert data.schema.size == (4,)
    assert data.classes == ("up", "down")
    cells = data.frame()["series"]
    assert cells[1].to_numpy().tolist() == [[3, 30], [2, 20]]
    assert [len(cell) for cell in cells] == [3, 2, 4]
    assert data.cleaning is not None
    assert "2 of 3 series are shorter than 4 steps; the rest is not observed" in data.cleaning.notes


def test_a_series_longer_than_the_stated_size_is_cut_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "two.ts", TS.format(missing="false", gap=""))
    data = Dataset.read(path, target="label", modality="sequence", size=(2,))
    assert data.schema.shape == (2, 2)
    assert data.cleaning is not None
    assert data.cleaning.notes == ("2 of 3 series are longer than 2 steps and were cut there",)


def test_missing_values_are_refused_or_filled_as_stated() -> None:
    cells = [np.array([1.0, np.nan, 3.0, np.nan]), np.array([np.nan, 5.0, 6.0, 8.0])]
    frame = pd.DataFrame({"series": pd.Series(cells, dtype=object), "label": ["a", "b"]})

    def read(**stated: Any) -> list[list[float]]:
        data = Dataset.from_frame(frame, target="label", modality="sequence", features={"value": stated} if stated else None)
        assert data.cleaning is not None
        assert data.cleaning.missing == {"value": 3}
        return [cell["value"].tolist() for cell in data.frame()["series"]]

    with pytest.raises(DataError, match=r"'value' lacks 3 of 8 values, first in series 0, step 2; .*interpolate"):
        read()
    assert read(fill="interpolate") == [pytest.approx([1, 2, 3, 3]), pytest.approx([5, 5, 6, 8])]
    assert read(fill=7.0) == [pytest.approx([1, 7, 3, 7]), pytest.approx([7, 5, 6, 8])]
    frame.at[0, "series"] = np.full(4, np.nan)
    with pytest.raises(DataError, match="no value at all in series 0"):
        read(fill="interpolate")


def test_a_question_mark_in_a_ts_file_is_a_missing_value(tmp_path: Path) -> None:
    path = written(tmp_path, "two.ts", TS.format(missing="true", gap=",?").replace(":30,20:", ":30,20,10:"))
    data = Dataset.read(path, target="label", modality="sequence", features={"variable 1": {"fill": "interpolate"}})
    assert data.frame()["series"][1]["variable 1"].tolist() == [3, 2, 2]


LONG = """patient,hour,pulse,drug,sex,died
b,2,80,none,f,no
a,10,71,a,m,yes
a,9,70,a,m,yes
b,1,82,none,f,no
c,1,90,b,f,yes
"""


def test_a_long_table_is_gathered_by_series_and_ordered_by_time(tmp_path: Path) -> None:
    path = written(tmp_path, "stays.csv", LONG)
    data = Dataset.read(path, target="died", event="yes", drop=("sex",), modality="sequence", series=("patient", "hour"))
    cells = data.frame()["series"]
    assert [cell["pulse"].tolist() for cell in cells] == [[82, 80], [70, 71], [90]]
    assert [cell["drug"].tolist() for cell in cells] == [["none", "none"], ["a", "a"], ["b"]]
    assert data.attributes["sex"].tolist() == ["f", "m", "f"]
    assert data.labels.tolist() == [0, 1, 1]


def test_steps_are_ordered_by_dates_as_they_are_by_numbers() -> None:
    steps = pd.DataFrame({"id": [1, 1, 1], "day": ["2026-10-01", "2026-09-30", "2025-12-01"], "x": [3, 2, 1], "y": ["a"] * 3})
    assert series_frame(steps, id="id", time="day", constant=("y",))["series"][0]["x"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LONG.replace("a,9,", "a,10,"), r"the series 'a' has two steps at hour '10'; keep one"),
        (LONG.replace("a,9,70,a,m,yes", "a,9,70,a,m,no"), r"column 'died' changes within the series 'a'"),
        (LONG.replace("a,9,", ",9,"), r"column 'patient' lacks a value in row 2"),
        (LONG.replace("a,9,", "a,noon,"), r"column 'hour' is no time: .*; write dates as 2026-01-31"),
        (LONG.replace("hour", "time"), r"no column 'hour'"),
    ],
)
def test_a_long_table_that_makes_no_series_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, "stays.csv", text)
    with pytest.raises(AssayError, match=message):
        Dataset.read(path, target="died", modality="sequence", series=("patient", "hour"))


def test_a_long_table_without_the_columns_of_series_and_time_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'no column of series among .*series = \{ id = "patient", time = "hour" \}'):
        Dataset.read(written(tmp_path, "stays.csv", LONG), target="died", modality="sequence")


def test_arrays_are_read_with_their_lengths(tmp_path: Path) -> None:
    x = np.arange(24.0).reshape(3, 4, 2)
    np.savez(tmp_path / "data.npz", x=x, lengths=[4, 2, 3], y=["a", "b", "a"], site=["n", "n", "s"])
    data = Dataset.read(tmp_path / "data.npz", target="label", drop=("site",), modality="sequence")
    assert [cell.to_numpy().tolist() for cell in data.frame()["series"]] == [x[0].tolist(), x[1, :2].tolist(), x[2, :3].tolist()]
    assert data.attributes["site"].tolist() == ["n", "n", "s"]


def test_a_pickle_in_an_array_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.array([[1, 2], [3]], dtype=object), y=["a", "b"])
    with pytest.raises(DataError, match=r"not an \.npz file of plain arrays"):
        Dataset.read(tmp_path / "data.npz", target="label", modality="sequence")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TS.format(missing="false", gap=",oops"), r"line 9 of two.ts must hold numbers, got 'oops'"),
        (TS.format(missing="false", gap=",4"), r"line 9 of two.ts has dimensions of 3, 2 steps"),
        (TS.format(missing="false", gap="").replace("Stamps false", "Stamps true"), "holds time stamps; write it as a long table"),
        (TS.format(missing="false", gap="").replace("@classLabel true up down", "@targetLabel true"), "holds no classes"),
        (TS.format(missing="false", gap="").replace("@data", ""), "has values in line 8 before @data"),
        ("@classLabel true a\n@data\n", "has no series"),
    ],
)
def test_a_ts_file_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.read(written(tmp_path, "two.ts", text), target="label", modality="sequence")


def test_a_series_that_does_not_fit_the_schema_is_refused() -> None:
    equal = modality_of(SCHEMAS["one variable"])
    with pytest.raises(DataError, match=r"the series in row 1 has 3 steps, required are 70"):
        equal.encode(pd.DataFrame({"series": pd.Series([np.zeros(70), np.zeros(3)], dtype=object)}))
    with pytest.raises(DataError, match=r"no variable 'value'; there are: variable 1, variable 2"):
        equal.encode(pd.DataFrame({"series": pd.Series([np.zeros((70, 2))], dtype=object)}))
    with pytest.raises(DataError, match=r"row 1 must be numbers"):
        equal.encode(pd.DataFrame({"series": pd.Series([np.zeros(70), "zero"], dtype=object)}))
    with pytest.raises(ConfigurationError, match=r"the size of a series is \(steps,\), got \(3, 4\)"):
        Schema("sequence", (PULSE,), size=(3, 4)).shape  # noqa: B018


def test_variables_that_never_vary_are_left_out_and_named() -> None:
    cells = [np.array([[1.0, 5.0], [2.0, 5.0]]), np.array([[3.0, 5.0], [4.0, 5.0]])]
    frame = pd.DataFrame({"series": pd.Series(cells, dtype=object), "label": ["a", "b"]})
    data = Dataset.from_frame(frame, target="label", modality="sequence")
    assert data.schema.names == ("variable 1",)
    assert data.cleaning is not None
    assert data.cleaning.constant == ("variable 2",)


def test_gunpoint_is_read_whole(gunpoint: Path) -> None:
    data = Dataset.read(gunpoint / "GunPoint_TRAIN.ts", target="label", modality="sequence")
    assert data.inputs.shape == (50, 150, 1)
    assert data.labels.bincount().tolist() == [24, 26]
    first = data.frame()["series"][0]["value"]
    assert first[:3].tolist() == pytest.approx([-0.6478854, -0.64199155, -0.63818632], rel=1e-5)


def test_ids_are_tidied_and_long_numbers_among_them_stay_apart() -> None:
    def gathered(*ids: object) -> int:
        steps = pd.DataFrame({"id": pd.Series(ids, dtype=object), "t": range(len(ids)), "x": range(len(ids))})
        return len(series_frame(steps, id="id", time="t"))

    assert gathered("p0", "p0 ", " p0") == 1
    assert gathered("1", "1.0", " 1") == 1
    assert gathered("9007199254740993", "9007199254740992") == 2
    assert gathered("07", "7") == 2
    assert len(series_frame(pd.DataFrame({"id": [1.0, 1.0, 2.0], "t": [1, 2, 3], "x": 0}), id="id", time="t")) == 2


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-01T00:00:00.000000002", "2026-01-01T00:00:00.000000001"],
        ["1700000000000000002", "1700000000000000001"],
        [1700000000000000002, 1700000000000000001],
    ],
    ids=["dates", "text", "numbers"],
)
def test_times_a_nanosecond_apart_are_two(times: list[Any]) -> None:
    steps = pd.DataFrame({"id": ["a", "a"], "t": times, "x": [2, 1]})
    assert series_frame(steps, id="id", time="t")["series"][0]["x"].tolist() == [1, 2]


def test_a_value_written_in_two_ways_does_not_change_within_a_series() -> None:
    steps = pd.DataFrame({"id": ["a", "a"], "t": [1, 2], "x": [1, 2], "died": ["yes", "yes "]})
    assert len(series_frame(steps, id="id", time="t", constant=("died",))) == 1


@pytest.mark.parametrize("lengths", [[np.nan, 2.0], ["1", "2"], [1.5, 2.0], [0, 2], [1, 9], [1]])
def test_lengths_that_are_no_numbers_of_steps_are_refused(tmp_path: Path, lengths: list[Any]) -> None:
    np.savez(tmp_path / "data.npz", x=np.ones((2, 3)), lengths=lengths, y=["a", "b"])
    with pytest.raises(DataError, match=r"'lengths' of data\.npz must hold a whole number of steps from 1 to 3"):
        Dataset.read(tmp_path / "data.npz", target="label", modality="sequence")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((2, 3)), "series": np.ones((2, 3))}, "the arrays 'series' and 'x', required is one"),
        ({"x": np.ones((2, 3)), "y": [0, 1], "labels": [1, 0]}, "the arrays 'labels' and 'y', required is one"),
        ({"x": np.ones((2, 3)), "y": [0, 1, 1]}, r"the labels of data\.npz must be \(2,\)"),
    ],
)
def test_arrays_that_could_be_read_in_two_ways_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=message):
        Dataset.read(tmp_path / "data.npz", target="label", modality="sequence")


def test_a_damaged_file_of_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=Seed(0).numpy().normal(size=(20, 8)), y=np.arange(20))
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"data\.npz is not an \.npz file of plain arrays"):
        Dataset.read(path, target="label", modality="sequence")


@pytest.mark.parametrize(
    ("cells", "stated", "message"),
    [
        (
            [[1.0, None, 2.0]],
            {"value": {"fill": "interpolat"}},
            "must be a number or 'interpolate', got 'interpolat'; did you mean 'interpolate'",
        ),
        ([["p", None, "q"]], {"value": {"fill": "interpolate"}}, "fills gaps with 'interpolate', which is none of its categories"),
        ([["p", None, "q"]], {}, r"'value' lacks 2 of 6 values, .*fill = \"p\" \} \}, or another category"),
        ([[1.0, np.inf]], {}, "the non-finite value inf in series 0, step 2"),
        ([[1.0, 2.0]], {"series": {"fill": 0}}, "'series' is a column and no feature of its inputs; state it of 'value'"),
    ],
)
def test_a_gap_and_its_fill_are_spoken_of_as_series_and_steps(cells: list[Any], stated: dict[str, dict[str, Any]], message: str) -> None:
    tables = [pd.DataFrame({"value": pd.Series(cell)}) for cell in cells * 2]
    frame = pd.DataFrame({"series": pd.Series(tables, dtype=object), "label": ["a", "b"]})
    with pytest.raises(AssayError, match=message):
        Dataset.from_frame(frame, target="label", modality="sequence", features=stated)


def test_a_gap_in_a_category_takes_the_stated_one() -> None:
    tables = [pd.DataFrame({"value": pd.Series(["p", None, "q"])})] * 2
    frame = pd.DataFrame({"series": pd.Series(tables, dtype=object), "label": ["a", "b"]})
    data = Dataset.from_frame(frame, target="label", modality="sequence", features={"value": {"fill": "q"}})
    assert data.frame()["series"][0]["value"].tolist() == ["p", "q", "q"]


def test_a_separator_within_a_line_ends_none(tmp_path: Path) -> None:
    text = TS.format(missing="false", gap="").replace("# Made by hand", "# Made\u2028by hand").replace(",30:up", ",30:u\u2028p")
    assert Dataset.read(written(tmp_path, "two.ts", text), target="label", modality="sequence").classes == ("down", "up", "u\u2028p")


def test_large_inputs_lie_on_disk(modality: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(modality, 0)
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 16)
    x = rows(modality, 0)
    assert x.untyped_storage().filename
    assert x.equal(expected)
