"""Images: patches are players, a repaired image is a valid one that is no farther away, and files are read or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import PngImagePlugin

from classifier import Dataset, Feature, Schema
from classifier.errors import ConfigurationError, DataError, StorageError
from classifier.modalities.image import MOST_PLAYERS, Image
from classifier.schema import Relation
from classifier.seeds import Seed


def channels(*names: str, high: float = 255.0) -> tuple[Feature, ...]:
    return tuple(Feature(name, "integer", low=0.0, high=high) for name in names)


SCHEMAS = {
    "gray": Schema("image", channels("gray"), size=(28, 28)),
    "colour": Schema("image", channels("red", "green", "blue"), size=(9, 5)),
    "17 levels": Schema("image", channels("gray", high=16.0), size=(8, 8)),
    "natural": Schema("image", channels("gray"), size=(8, 8), encoding="natural"),
    "float": Schema("image", (Feature("gray", "continuous", low=-1.0, high=2.0),), size=(7, 8)),
    "one pixel": Schema("image", channels("gray"), size=(1, 1)),
}


@pytest.fixture(params=SCHEMAS)
def modality(request: pytest.FixtureRequest) -> Image:
    return Image(SCHEMAS[request.param])


def images(modality: Image, seed: int, count: int = 6) -> torch.Tensor:
    """Valid images drawn at random."""
    generator, size = Seed(seed, ("images",)).numpy(), modality.schema.size
    feature = modality.schema.features[0]
    assert feature.low is not None
    assert feature.high is not None
    shape = (count, *size, len(modality.schema.features))
    if feature.kind == "integer":
        cells = generator.integers(int(feature.low), int(feature.high) + 1, shape)
    else:
        cells = generator.uniform(feature.low, feature.high, shape)
    return modality.encode(pd.DataFrame({"image": list(cells)}))


def save(image: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(image).save(path)
    return path


def test_an_input_has_its_channels_first(modality: Image) -> None:
    x = images(modality, 0)
    assert x.shape[1:] == modality.shape == modality.schema.shape == (len(modality.schema.features), *modality.schema.size)
    low, high = modality.schema.bounds
    assert low.shape == high.shape == modality.schema.scale.shape == modality.schema.shape
    assert ((x >= low - 1e-5) & (x <= high + 1e-5)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_the_players_are_square_patches_and_never_more_than_49(height: int, width: int) -> None:
    modality = Image(Schema("image", channels("gray"), size=(height, width)))
    rows, columns = modality.grid
    assert len(modality.players) == len(set(modality.players)) == rows * columns <= MOST_PLAYERS
    membership = modality.membership[0]
    assert membership.unique().tolist() == list(range(rows * columns))
    # A patch is called by the pixels that it covers, counted from 1.
    down, across = (membership == membership[height - 1, 0]).nonzero(as_tuple=True)
    first, last = int(down.min()) + 1, int(across.max()) + 1
    lying = f"row {height}" if first == height else f"rows {first} to {height}"
    beside = "column 1" if last == 1 else f"columns 1 to {last}"
    assert modality.players[int(membership[height - 1, 0])] == f"{lying}, {beside}"
    # Full patches are square, and the next smaller side would leave too many.
    assert (membership[: modality.patch, : modality.patch] == 0).all()
    assert modality.patch == 1 or -(-height // (modality.patch - 1)) * -(-width // (modality.patch - 1)) > MOST_PLAYERS


def test_gather_takes_back_what_spread_laid_out_evenly(modality: Image) -> None:
    x = images(modality, 0)
    values = torch.randn(len(x), len(modality.players), generator=Seed(0).torch(), dtype=torch.float64)
    spread = modality.spread(values, x)
    assert spread.shape == x.shape
    assert torch.allclose(modality.gather(spread), values)
    for player in range(len(modality.players)):
        part = spread[:, modality.membership == player]
        assert torch.equal(part, part[:, :1].expand_as(part))


def test_mask_takes_whole_patches_from_the_replacement(modality: Image) -> None:
    x, other = images(modality, 0), images(modality, 1)
    present = torch.rand(len(x), len(modality.players), generator=Seed(0).torch()) < 0.5
    masked = modality.mask(x, present, other)
    kept = present[:, modality.membership]
    assert torch.equal(masked[kept], x[kept])
    assert torch.equal(masked[~kept], other[~kept])
    assert modality.valid(masked).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.003, 0.05, 1.0]), st.sampled_from(sorted(SCHEMAS)))
def test_a_repaired_image_is_valid_and_no_farther_from_the_centre(seed: int, reach: float, name: str) -> None:
    modality = Image(SCHEMAS[name])
    centre = images(modality, seed)
    noise = 2 * torch.rand(centre.shape, generator=Seed(seed).torch()) - 1
    low, high = modality.schema.bounds
    x = (centre + reach * noise * modality.schema.scale).clamp(low, high)
    repaired = modality.repair(x, centre)
    assert repaired.shape == x.shape
    assert modality.valid(repaired).all()
    assert (((repaired - centre).abs() - (x - centre).abs()) / modality.schema.scale).max() <= 1e-5


def test_an_image_between_two_levels_or_without_a_number_is_invalid() -> None:
    modality = Image(SCHEMAS["colour"])
    x = images(modality, 0, 3)
    x[1, 2, 3, 4] = 100.5 / 255
    x[2, 0, 0, 0] = torch.nan
    assert modality.valid(x).tolist() == [True, False, False]


def test_decoding_takes_back_the_images(modality: Image) -> None:
    x = images(modality, 0)
    frame = modality.decode(x)
    assert frame["image"][0].shape[:2] == modality.schema.size
    assert torch.allclose(modality.encode(frame), x, atol=1e-6, rtol=1e-6)
    if modality.schema.features[0].kind == "integer":
        assert frame["image"][0].dtype == np.uint8
        assert torch.equal(modality.encode(frame), x)


def test_words_are_the_mean_of_each_patch_in_natural_units() -> None:
    gray = np.zeros((8, 8), dtype=np.uint8)
    gray[0:2, 2:4] = [[4, 8], [0, 16]]
    modality = Image(SCHEMAS["17 levels"])
    (words,) = modality.words(modality.encode(pd.DataFrame({"image": [gray]})))
    assert tuple(words) == modality.players
    assert words["rows 1 to 2, columns 3 to 4"] == "7"
    assert set(words.values()) == {"0", "7"}
    colour = Image(Schema("image", channels("red", "green", "blue"), size=(2, 2)))
    x = colour.encode(pd.DataFrame({"image": [np.full((2, 2, 3), [255, 0, 10])]}))
    assert colour.words(x)[0]["row 2, column 1"] == "red 255, green 0, blue 10"


def test_a_picture_is_the_image_between_black_and_white() -> None:
    for name, count in (("gray", 1), ("colour", 3), ("natural", 1)):
        modality = Image(SCHEMAS[name])
        x = images(modality, 0)
        shown = modality.picture(x)
        assert shown.shape == (len(x), *modality.schema.size, count)
        levels = np.stack(list(modality.decode(x)["image"])).reshape(shown.shape)
        assert np.allclose(shown, levels / 255, atol=1e-6)


def test_a_folder_gives_a_class_for_each_of_its_folders(tmp_path: Path) -> None:
    generator = Seed(0).numpy()
    drawn = {f"{label}/{i}.png": generator.integers(0, 256, (6, 4), dtype=np.uint8) for label in ("cat", "dog") for i in range(3)}
    for name, image in drawn.items():
        save(image, tmp_path / name)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "cat" / "folder.png").mkdir()
    (tmp_path / ".hidden").mkdir()
    dataset = Dataset.read(tmp_path, target="label", modality="image")
    assert (dataset.classes, dataset.schema.shape, dataset.schema.features[0]) == (("cat", "dog"), (1, 6, 4), channels("gray")[0])
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    for found, image in zip(dataset.schema.decode(dataset.inputs)["image"], drawn.values(), strict=True):
        assert np.array_equal(found, image)
    digest = dataset.source["sha256"]
    save(255 - drawn["cat/0.png"], tmp_path / "cat" / "0.png")
    assert Dataset.read(tmp_path, target="label", modality="image").source["sha256"] != digest


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_an_archive_gives_its_arrays(tmp_path: Path, names: tuple[str, str]) -> None:
    pixels = Seed(0).numpy().integers(0, 256, (20, 5, 7, 3), dtype=np.uint8)
    labels, writer = np.arange(20) % 4, np.array([f"w{i % 5}" for i in range(20)])
    path = tmp_path / "set.npz"
    np.savez(path, **{names[0]: pixels, names[1]: labels}, writer=writer, palette=np.zeros(3))
    dataset = Dataset.read(path, target="label", drop=["writer"], modality="image")
    assert dataset.schema.names == ("red", "green", "blue")
    assert dataset.inputs.shape == (20, 3, 5, 7)
    assert torch.allclose(dataset.inputs.permute(0, 2, 3, 1), torch.from_numpy(pixels) / 255)
    assert dataset.attributes["writer"].tolist() == writer.tolist()
    left = Dataset.read(path, target="label", modality="image")
    assert left.cleaning is not None
    assert left.cleaning.notes == ("writer is no image, and so no input",)


def test_a_table_gives_the_images_that_it_names(tmp_path: Path) -> None:
    save(np.full((3, 3), 10, dtype=np.uint8), tmp_path / "scans" / "a.png")
    save(np.full((3, 3), 200, dtype=np.uint8), tmp_path / "scans" / "b.png")
    (tmp_path / "scans.csv").write_text("scan,finding,age\nscans/a.png,no,50\nscans/b.png,yes,60\n")
    dataset = Dataset.read(tmp_path / "scans.csv", target="finding", drop=["age"], modality="image")
    assert (dataset.inputs * 255).round().amax((1, 2, 3)).tolist() == [10, 200]
    (tmp_path / "scans.csv").write_text("scan,finding\nscans/a.png,no\nscans/c.png,yes\n")
    with pytest.raises(DataError, match=r"row 1 of scans.csv names the image 'scans/c.png', which is not there"):
        Dataset.read(tmp_path / "scans.csv", target="finding", modality="image")


def frame_of(*cells: object) -> pd.DataFrame:
    return pd.DataFrame({"image": pd.Series(cells, dtype=object), "label": ["a", "b"] * (len(cells) // 2)})


def test_images_of_several_sizes_need_one_stated() -> None:
    small, large = np.full((4, 6), 100, dtype=np.uint8), np.full((8, 12), 100, dtype=np.uint8)
    frame = frame_of(small, large, large, large)
    with pytest.raises(DataError, match=r"the images have 2 sizes.*size = \[8, 12\]"):
        Dataset.from_frame(frame, target="label", modality="image")
    dataset = Dataset.from_frame(frame, target="label", modality="image", size=(4, 6))
    assert dataset.inputs.shape == (4, 1, 4, 6)
    # A plain image stays as plain in any size.
    assert torch.allclose(dataset.inputs, torch.tensor(100 / 255))
    assert dataset.cleaning is not None
    assert dataset.cleaning.notes == ("3 of 4 images were resized to 4 x 6",)


def test_resizing_is_antialiased_and_keeps_to_the_levels() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (32, 16))
    dataset = Dataset.from_frame(frame_of(stripes, stripes), target="label", modality="image", size=(8, 8))
    # Every eighth column alone would be black.
    assert (dataset.inputs - 0.5).abs().max() < 0.1
    assert Image(dataset.schema).valid(dataset.inputs).all()


def test_gray_and_colour_become_what_most_are() -> None:
    gray = np.full((4, 4), 100, dtype=np.uint8)
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 100
    to_gray = Dataset.from_frame(frame_of(gray, gray, gray, red), target="label", modality="image")
    assert to_gray.schema.names == ("gray",)
    assert (to_gray.inputs[3] * 255).round().unique().tolist() == [30]
    to_colour = Dataset.from_frame(frame_of(red, red, red, gray), target="label", modality="image")
    assert (to_colour.inputs[3] * 255).round().unique().tolist() == [100]
    assert to_colour.cleaning is not None
    assert to_colour.cleaning.notes == ("1 of 4 images were converted to colour",)


def test_the_levels_follow_from_the_type() -> None:
    def feature(*cells: np.ndarray) -> Feature:
        return Dataset.from_frame(frame_of(*cells), target="label", modality="image").schema.features[0]

    ramp = np.arange(16).reshape(4, 4)
    assert feature(ramp.astype(np.uint8), ramp.astype(np.uint8)) == Feature("gray", "integer", low=0.0, high=255.0)
    assert feature(ramp.astype(np.uint16), ramp.astype(np.uint16)) == Feature("gray", "integer", low=0.0, high=65535.0)
    assert feature(ramp, ramp + 2) == Feature("gray", "integer", low=0.0, high=17.0)
    assert feature(ramp / 20, ramp / 30) == Feature("gray", "continuous", low=0.0, high=1.0)
    assert feature(ramp - 0.5, ramp / 2) == Feature("gray", "continuous", low=-0.5, high=14.5)


def test_a_stated_channel_is_not_inferred_and_must_exist() -> None:
    image = np.full((4, 4), 3, dtype=np.uint8)
    frame = frame_of(image, image)
    stated = Dataset.from_frame(frame, target="label", modality="image", features={"gray": {"high": 16.0, "unit": "levels"}})
    assert (stated.inputs == 3 / 16).all()
    with pytest.raises(ConfigurationError, match="the table has no feature 'grey'; did you mean 'gray'"):
        Dataset.from_frame(frame, target="label", modality="image", features={"grey": {"high": 16.0}})


OKAY = np.zeros((4, 4), dtype=np.uint8)
BROKEN: dict[str, tuple[tuple[object, object], str]] = {
    "text": (("a", "b"), "there is no column of images among image"),
    "one missing": ((OKAY, None), "the image in row 1 must be numbers .* got None"),
    "empty": ((OKAY, OKAY[:0]), r"row 1 must be numbers .* got an array \(0, 4\)"),
    "flat": ((OKAY, OKAY[0]), r"row 1 must be numbers .* got an array \(4,\)"),
    "words": ((OKAY, np.full((4, 4), "x")), "row 1 must be numbers"),
    "channels first": ((np.zeros((3, 8, 8)),) * 2, r"row 0 has its channels first, \(3, 8, 8\)"),
    "many channels": ((np.zeros((5, 5, 17)),) * 2, "at most 16 are read; put the channels last"),
    "not a number": ((OKAY / 1.0, np.full((4, 4), np.nan)), "row 1 has values that are not finite"),
    "two and three channels": ((np.ones((4, 4, 2)), np.zeros((4, 4, 3))), "has 3 channels, required are 2"),
    "bytes and fractions": ((OKAY, OKAY / 255), "different types, float64 and uint8"),
    "nothing but black": ((OKAY / 1.0 - 5, OKAY / 1.0 - 5), "every pixel of every image is -5"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_image_is_refused_with_its_row(name: str) -> None:
    cells, message = BROKEN[name]
    with pytest.raises(DataError, match=message):
        Dataset.from_frame(frame_of(*cells), target="label", modality="image")


def test_fractions_are_refused_where_the_classifier_takes_levels() -> None:
    modality = Image(SCHEMAS["natural"])
    with pytest.raises(DataError, match="row 0 holds fractions, required are whole levels up to 255"):
        modality.encode(pd.DataFrame({"image": [np.full((8, 8), 0.5)]}))


@pytest.mark.parametrize("damage", ["cut short", "no image", "a bomb"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Seed(0).numpy().integers(0, 256, (64, 64), dtype=np.uint8)
    save(noise, tmp_path / "cat" / "fine.png")
    path = save(noise, tmp_path / "dog" / "rex.png")
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "no image":
        path.write_text("<svg/>")
    else:
        monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 64 * 63)
        (tmp_path / "cat" / "fine.png").unlink()
        (tmp_path / "cat").rmdir()
    with pytest.raises(DataError, match=r"the image dog/rex\.png is damaged, or neither PNG nor JPEG") as caught:
        Dataset.read(tmp_path, target="label", modality="image")
    assert "BytesIO" not in str(caught.value)


def test_transparency_is_laid_on_white_and_orientation_is_kept(tmp_path: Path) -> None:
    clear = np.zeros((2, 2, 4), dtype=np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    save(clear, tmp_path / "a" / "clear.png")
    (tmp_path / "b").mkdir()
    palette = Pillow.fromarray(np.full((2, 2, 3), 9, dtype=np.uint8)).quantize(4)
    palette.save(tmp_path / "b" / "palette.png", pnginfo=PngImagePlugin.PngInfo())
    frame, _ = Image.read(tmp_path)
    assert frame["image"][0].pixels().tolist() == [[[10, 20, 30], [255, 255, 255]], [[255, 255, 255], [255, 255, 255]]]
    assert frame["image"][1].pixels().tolist() == [[[9, 9, 9]] * 2] * 2
    turned = Pillow.fromarray(np.zeros((2, 6), dtype=np.uint8))
    exif = turned.getexif()
    exif[274] = 6  # the camera was held upright
    turned.save(tmp_path / "b" / "turned.jpg", exif=exif)
    assert Image.read(tmp_path)[0]["image"][2].shape == (6, 2)


def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path) -> None:
    deep = np.array([[0, 1], [40_000, 65_535]], dtype=np.uint16)
    save(deep, tmp_path / "a" / "deep.png")
    assert np.array_equal(Image.read(tmp_path)[0]["image"][0].pixels(), deep)


def test_an_archive_of_pickles_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", images=np.array([object()], dtype=object))
    with pytest.raises(DataError, match=r"evil\.npz is not an \.npz file of plain arrays"):
        Image.read(tmp_path / "evil.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "evil.npz").read_bytes()[:50])
    with pytest.raises(DataError, match=r"cut\.npz is not an \.npz file"):
        Image.read(tmp_path / "cut.npz")
    np.savez(tmp_path / "named.npz", x_train=np.zeros((2, 3, 3)))
    with pytest.raises(DataError, match=r"named\.npz has no array 'images' or 'x'"):
        Image.read(tmp_path / "named.npz")
    np.savez(tmp_path / "flat.npz", images=np.zeros((2, 9)))
    with pytest.raises(DataError, match=r"must be \(N, height, width\).* got \(2, 9\)"):
        Image.read(tmp_path / "flat.npz")


def test_what_holds_no_images_says_what_would(tmp_path: Path) -> None:
    (tmp_path / "loose.png").write_bytes(b"")
    with pytest.raises(DataError, match="has no folders with PNG or JPEG files in them"):
        Image.read(tmp_path)
    with pytest.raises(DataError, match=r"loose\.png holds no images that can be read"):
        Image.read(tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"there is no file .*absent\.npz"):
        Image.read(tmp_path / "absent.npz")
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"numbers\.csv has no column of paths"):
        Image.read(tmp_path / "numbers.csv")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image(Schema("image", channels("gray"))), r"the size of an image is \(height, width\), got \(\)"),
        (lambda: Image(Schema("image", (), size=(4, 4))), "an image needs at least one channel"),
        (lambda: Image(Schema("image", (Feature("c", "categorical", categories=("a", "b")),), size=(4, 4))), "must hold numbers"),
        (lambda: Dataset.from_frame(frame_of(OKAY, OKAY), target="label", modality="image", size=(4,)), r"is \[height, width\], got \[4\]"),
        (
            lambda: Dataset.from_frame(frame_of(OKAY, OKAY), target="label", modality="image", size=(4.5, 4)),  # type: ignore[arg-type]
            r"is \[height, width\] in whole numbers, got \[4\.5, 4\]",
        ),
        (
            lambda: Dataset.from_frame(frame_of(OKAY, OKAY), target="label", modality="image", features={"gray": {"hihg": 16}}),
            "feature 'gray' has no field 'hihg'; did you mean 'high'",
        ),
        (
            lambda: Dataset.from_frame(frame_of(OKAY, OKAY), target="label", modality="image", features={"image": {"high": 16}}),
            "'image' is a column and no feature of its inputs; state it of 'gray'",
        ),
        (
            lambda: Dataset.from_frame(
                frame_of(OKAY, OKAY), target="label", modality="image", relations=[Relation({"gray": 1.0}, "<=", 1.0)]
            ),
            "relations are between the features of a table",
        ),
        (
            lambda: Dataset.from_frame(
                frame_of(OKAY, OKAY).assign(sex=["f", "m"]), target="label", modality="image", protected=["sex"], protected_inputs=["sex"]
            ),
            "'sex' cannot be an input of a classifier of images",
        ),
    ],
    ids=["size", "no channel", "category", "one number", "half a number", "field", "column", "relation", "protected input"],
)
def test_what_images_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()  # type: ignore[operator]


LEVELS = Image(Schema("image", channels("gray"), size=(4, 4)))
FRACTIONS = Image(Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(4, 4)))
SCALES: dict[str, tuple[Image, np.ndarray, str]] = {
    "sixteen bits": (LEVELS, np.full((4, 4), 60_000, dtype=np.uint16), "row 1 has the value 60000 in gray, required are 0 to 255"),
    "below": (LEVELS, np.full((4, 4), -1), "row 1 has the value -1 in gray, required are 0 to 255"),
    "one level too many": (Image(SCHEMAS["17 levels"]), np.full((8, 8), 17, dtype=np.uint8), "the value 17 in gray, required are 0 to 16"),
    "black and white from 0 to 1": (LEVELS, np.eye(4), "row 1 holds nothing above 1, as float64, required are whole levels up to 255"),
    "yes and no": (LEVELS, np.eye(4, dtype=bool), "row 1 holds nothing above 1, as bool"),
    "levels for fractions": (FRACTIONS, np.full((4, 4), 200.0), "row 1 has the value 200 in gray, required are 0 to 1"),
}


@pytest.mark.parametrize("name", SCALES)
def test_an_image_on_another_scale_is_refused_with_its_row_and_value(name: str) -> None:
    modality, image, message = SCALES[name]
    frame = pd.DataFrame({"image": pd.Series([np.zeros_like(image), image], dtype=object)})
    with pytest.raises(DataError, match=message):
        modality.encode(frame)


def test_a_fraction_somewhat_beyond_the_bounds_and_a_dark_image_of_levels_are_taken() -> None:
    (x,) = FRACTIONS.encode(pd.DataFrame({"image": [np.full((4, 4), 1.3)]}))
    assert x.max() == pytest.approx(1.3)
    (x,) = LEVELS.encode(pd.DataFrame({"image": [np.eye(4, dtype=np.uint8)]}))
    assert x.max() == pytest.approx(1 / 255)
    assert LEVELS.encode(pd.DataFrame({"image": [np.zeros((4, 4))]})).max() == 0


ARCHIVES: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "channels first": (
        {"images": np.zeros((2, 3, 16, 16))},
        r"'images' of set\.npz has its channels first.*save np\.moveaxis\(images, 1, -1\)",
    ),
    "two images": ({"images": np.zeros((2, 4, 4)), "x": np.ones((2, 4, 4))}, "the arrays 'images' and 'x', required is one"),
    "two labels": ({"x": np.zeros((2, 4, 4)), "labels": np.arange(2), "y": np.arange(2)}, "the arrays 'labels' and 'y', required is one"),
    "labels of others": ({"x": np.zeros((2, 4, 4)), "labels": np.arange(3)}, r"the labels of set\.npz must be \(2,\).* got \(3,\)"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_could_be_read_in_two_ways_is_refused(tmp_path: Path, name: str) -> None:
    arrays, message = ARCHIVES[name]
    np.savez(tmp_path / "set.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        Image.read(tmp_path / "set.npz")


def test_a_damaged_archive_and_a_single_array_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, images=Seed(0).numpy().integers(0, 256, (20, 8, 8), dtype=np.uint8), labels=np.arange(20))
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"set\.npz is not an \.npz file of plain arrays"):
        Image.read(path)
    with path.open("wb") as file:
        np.save(file, np.zeros((2, 4, 4)))
    with pytest.raises(DataError, match=r"set\.npz is not an \.npz file of plain arrays"):
        Image.read(path)


def test_images_that_would_be_lost_are_refused(tmp_path: Path) -> None:
    image = np.zeros((2, 2), dtype=np.uint8)
    for label in ("cat", "dog"):
        save(image, tmp_path / label / "0.png")
    save(image, tmp_path / "fox" / "0.bmp")
    with pytest.raises(DataError, match=r"the folder fox of .* has no PNG or JPEG file, but 0\.bmp"):
        Image.read(tmp_path)
    save(image, tmp_path / "fox" / "more" / "0.png")
    with pytest.raises(DataError, match=r"fox/more/0\.png lies in a folder within the folder of a class"):
        Image.read(tmp_path)
    save(image, tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"has images beside the folders of its classes, such as loose\.png"):
        Image.read(tmp_path)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "row 2 of scans.csv names no image in column 'scan'; leave the row out"),
        ("a.gif", "row 2 of scans.csv names 'a.gif', required is a PNG or JPEG file"),
        ("a.png ", None),
    ],
)
def test_one_bad_path_among_many_is_named_with_its_row(tmp_path: Path, cell: str, message: str | None) -> None:
    save(np.zeros((2, 2), dtype=np.uint8), tmp_path / "a.png")
    (tmp_path / "scans.csv").write_text(f"scan,finding\na.png,no\na.png,yes\n{cell},yes\n")
    if message is None:
        assert len(Image.read(tmp_path / "scans.csv")[0]) == 3
        return
    with pytest.raises(DataError, match=message):
        Image.read(tmp_path / "scans.csv")


def test_the_pixels_of_a_file_are_decoded_when_they_are_asked_for_and_must_be_those_that_were_read(tmp_path: Path) -> None:
    save(np.full((2, 2), 7, dtype=np.uint8), tmp_path / "a" / "0.png")
    (picture,) = Image.read(tmp_path)[0]["image"]
    assert not any(isinstance(value, np.ndarray) for value in vars(picture).values())
    assert (picture.shape, picture.dtype, picture.pixels().tolist()) == ((2, 2), np.uint8, [[7, 7], [7, 7]])
    save(np.full((2, 2), 8, dtype=np.uint8), tmp_path / "a" / "0.png")
    with pytest.raises(DataError, match=r"the image a/0\.png changed while the data were read"):
        picture.pixels()


def test_a_size_that_no_machine_holds_is_refused_with_its_bytes() -> None:
    frame = frame_of(OKAY, OKAY)
    with pytest.raises(StorageError, match=r"an input of \(1, 100000, 100000\) takes 40,000,000,000 bytes"):
        Dataset.from_frame(frame, target="label", modality="image", size=(100_000, 100_000))
    many = pd.concat([frame] * 1000, ignore_index=True)
    modality = Image(Schema("image", channels("gray"), size=(16_000, 16_000)))
    with pytest.raises(StorageError, match=r"2,000 inputs of \(1, 16000, 16000\) take 2,048,000,000,000 bytes, and .* has .* left"):
        modality.encode(many)


def test_large_inputs_lie_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(OKAY, OKAY + 1)
    expected = LEVELS.encode(frame)
    monkeypatch.setattr("classifier.storage.IN_MEMORY", 16)
    x = LEVELS.encode(frame)
    assert x.untyped_storage().filename
    assert x.equal(expected)
