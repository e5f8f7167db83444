"""The sheet shows each pixel as it is, and no caption beyond its cell."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont

from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.pictures.captions import Captions, make_captions
from featviz.pictures.picture import Picture
from featviz.pictures.sheets import contact_sheet, near_square, plan_sheet, save_sheet


def make(
    unit: object = 0,
    *,
    size: tuple[int, int] = (96, 100),
    channels: int = 3,
    layer: str = "inception_4c:",
    steps: int = 16,
    seed: int = 0,
    **changes: Any,
) -> Picture:
    generator = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "pixels": generator.uniform(size=(*size, channels)).astype(np.float32),
        "score": 12.345,
        "outcome": Outcome.CONVERGED,
        "history": np.cumsum(generator.uniform(size=steps)),
        "provenance": {"name": f"{layer}{unit}"},
    }
    return Picture(**{**given, **changes})


def bytes_of(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


@pytest.mark.parametrize("captions", [True, False])
def test_the_size_of_a_sheet(captions: bool) -> None:
    pictures = [make(unit) for unit in range(7)]
    layout = plan_sheet(pictures, captions=captions)
    assert (layout.columns, layout.rows, layout.cell, layout.gap) == (4, 2, (100, 96), 4)
    assert layout.font == 10 and layout.caption == layout.title == (15 if captions else 0)
    assert contact_sheet(pictures, captions=captions).size == (
        4 * 104 + 4,
        2 * (100 + 15 * captions) + 4 + 15 * captions,
    )
    assert contact_sheet(pictures, columns=2, captions=False).size == (2 * 104 + 4, 4 * 100 + 4)
    assert contact_sheet(pictures[:1], columns=5, captions=False).size == (108, 104)


def test_pixels_are_unchanged() -> None:
    pictures = [make(unit, seed=unit) for unit in range(5)]
    layout, sheet = plan_sheet(pictures, columns=2), bytes_of(contact_sheet(pictures, columns=2))
    (width, height), gap = layout.cell, layout.gap
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 2)
        top, left = layout.title + gap + row * (height + layout.caption + gap), gap + column * (width + gap)
        np.testing.assert_array_equal(sheet[top : top + height, left : left + width], picture.to_uint8())


def test_tiny_pictures_grow_by_a_whole_factor() -> None:
    picture = make(size=(28, 20), channels=1)
    sheet = bytes_of(contact_sheet([picture], captions=False))
    shown = sheet[4:-4, 4:-4]
    assert shown.shape == (28 * 4, 20 * 4, 3)
    np.testing.assert_array_equal(shown[::4, ::4, 0], picture.to_uint8()[..., 0])
    np.testing.assert_array_equal(shown[3::4, 2::4, 1], picture.to_uint8()[..., 0])


def test_sizes_may_differ() -> None:
    large, small = make(1, size=(100, 96)), make(2, size=(50, 40))
    sheet = bytes_of(contact_sheet([large, small], columns=2, captions=False))
    assert sheet.shape == (108, 204, 3)
    # In the middle of its cell, at the foot.
    np.testing.assert_array_equal(sheet[54:104, 104 + 28 : 104 + 68], small.to_uint8())
    assert (sheet[4:54, 104:200] == 255).all()


def test_bands_and_alpha() -> None:
    many, two = make(channels=5), make(channels=2)
    sheet = bytes_of(contact_sheet([many, two], columns=2, captions=False))
    np.testing.assert_array_equal(sheet[4:100, 4:104], many.to_uint8()[..., :3])
    mean = np.rint(two.pixels.mean(-1) * np.float32(255))
    np.testing.assert_array_equal(sheet[4:100, 108:208, 0], mean)
    hidden = make(alpha=np.zeros((96, 100)))
    assert (bytes_of(contact_sheet([hidden], captions=False, background="red")) == [255, 0, 0]).all()


FONT = ImageFont.load_default(size=10)


def test_captions_have_the_unit_and_the_score_or_the_outcome() -> None:
    of = [make(7), make(103, score=np.nan), make(8, outcome=Outcome.DEAD), make(9, outcome=Outcome.NOT_FINITE)]
    found = make_captions(of, 100, FONT)
    assert found == Captions("inception_4c", 1, (("7", "12.3"), ("103", ""), ("8", "dead"), ("9", "not finite")))
    two = make_captions([make(7), make(7, layer="conv1:")], 200, FONT)
    assert two == Captions("", 1, (("inception_4c:7", "12.3"), ("conv1:7", "12.3")))
    assert make_captions([make("", provenance={})], 100, FONT) == Captions("", 1, (("picture", "12.3"),))


def test_a_class_is_called_by_its_name() -> None:
    def of(name: str, number: int) -> Picture:
        network = {"name": "googlenet"}
        return make(provenance={"name": f"logit:{number}", "class": name, "network": network})

    fish = of("goldfish, Carassius auratus", 1)
    assert make_captions([fish], 100, FONT) == Captions("googlenet logit", 1, (("goldfish", "12.3"),))
    # A long one has a line to itself, and loses its end where that is not enough.
    found = make_captions([fish, of("black-and-tan coonhound", 165)], 128, FONT)
    assert found.lines == 2 and found.texts == (("goldfish", "12.3"), ("black-and-tan coonhound", "12.3"))
    assert make_captions([of("black-and-tan coonhound", 165)], 60, FONT).texts[0][0].startswith("black-")


def test_names_too_long_lose_what_they_share_and_keep_what_they_do_not() -> None:
    layers = [f"vit.encoder.layer.{number}.intermediate.dense:" for number in (2, 11)]
    found = make_captions([make(number, layer=layer) for number, layer in enumerate(layers)], 128, FONT)
    assert found.title == "vit.encoder.layer.…" and found.lines == 2
    assert found.texts == (("2.intermediate.dense:0", "12.3"), ("11.intermediate.dense:1", "12.3"))
    cut = make_captions([make(number, layer=layer) for number, layer in enumerate(layers)], 96, FONT).texts
    assert [name[:3] for name, _ in cut] == ["2.…", "11."] and [name[-7:] for name, _ in cut] == ["dense:0", "dense:1"]
    short = make_captions([make(3, layer="blocks/2/mlp/act:"), make(7, layer="blocks/6/mlp/act:")], 96, FONT)
    assert short == Captions("", 2, (("blocks/2/mlp/act:3", "12.3"), ("blocks/6/mlp/act:7", "12.3")))


def test_notes_stand_before_the_scores() -> None:
    found = make_captions([make(3), make(7)], 100, FONT, notes=["start", ""])
    assert found.texts == (("3", "start  12.3"), ("7", "12.3")) and found.lines == 1


@pytest.mark.parametrize("width", [10, 30, 60, 96, 128])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_captions_fit_their_cell(width: int, outcome: Outcome) -> None:
    layers = ("mixed_7/branch3x3_double/convolution_2:", "mixed_7/branch3x3_double/convolution_3:")
    found = make_captions([make(103, layer=layer, outcome=outcome) for layer in layers], width, FONT)
    assert found.lines == 2
    for name, note in found.texts:
        assert FONT.getlength(name) <= width and FONT.getlength(note) <= width
        if width >= 60:
            assert name.endswith(":103") and note


def test_a_title_stands_above_the_pictures() -> None:
    blank = np.ones((96, 100, 3))
    of = {"name": "conv1:3", "network": {"name": "patterns"}}
    titled, bare = (
        bytes_of(contact_sheet([make(pixels=blank, provenance=each)])) for each in (of, {"name": "3", "network": None})
    )
    assert titled.shape == (bare.shape[0] + 15, *bare.shape[1:])
    np.testing.assert_array_equal(titled[15:][4:], bare[4:])
    assert (titled[:4] == 255).all() and (titled[4:19] < 128).any()


def test_no_ink_outside_the_cell() -> None:
    blank = np.ones((96, 100, 3))
    pictures = [make(unit, layer=f"a_layer_of_a_long_name_{unit}:", pixels=blank) for unit in (1000, 2000)]
    sheet = bytes_of(contact_sheet(pictures, columns=1))
    assert (sheet[:, :4] == 255).all() and (sheet[:, -4:] == 255).all() and (sheet[-4:] == 255).all()
    assert (sheet < 128).any()


def test_columns_are_near_square() -> None:
    for count in range(1, 200):
        columns = near_square(count)
        assert 1 <= columns <= min(8, count)
        assert columns == 8 or columns * columns >= count


def test_wrong_sheets(tmp_path: Path) -> None:
    for call, match in [
        (lambda: contact_sheet([]), "`pictures` is empty"),
        (lambda: contact_sheet([make()], columns=0), "`columns` is 0; expected 1 or more"),
        (lambda: contact_sheet([make()], background="whit"), "`background` is `whit`"),
        (lambda: save_sheet([make()], tmp_path / "a.jpg"), "ends in `.jpg`; did you mean `.png`"),
        (lambda: save_sheet([make()], tmp_path / "a"), "has no extension; expected one of"),
        (lambda: save_sheet([make()], tmp_path / "b" / "a.png"), "does not exist"),
        (lambda: save_sheet([make(size=(17000, 1))], tmp_path / "a.webp"), "too large for `.webp`"),
    ]:
        with pytest.raises(FeatvizError, match=match) as error:
            call()
        assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_saved_sheets_are_lossless(tmp_path: Path, suffix: str) -> None:
    pictures = [make(unit, seed=unit) for unit in range(3)]
    expected = bytes_of(contact_sheet(pictures, background="#102030"))
    with Image.open(save_sheet(pictures, tmp_path / f"sheet{suffix}", background="#102030")) as image:
        np.testing.assert_array_equal(bytes_of(image), expected)
    assert os.listdir(tmp_path) == [f"sheet{suffix}"]
