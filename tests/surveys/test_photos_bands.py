"""Photographs of more than three bands: from arrays, `.npy` files and TIFFs, for a network of as many channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import featviz as fv
from featviz.atlas.photo_records import survey_records
from featviz.errors import FeatvizError
from featviz.surveys.photos import find_photos, prepare

RGB = (3, 2, 1)
IMAGES = np.random.default_rng(0).integers(0, 255, (44, 20, 18, 7), dtype=np.uint8)


def network_of(channels, *, rgb=()):
    def network(weights, images):
        h = jnp.einsum("nhwc,cd->nhwd", images, weights)
        return {"h": jax.nn.relu(h), "out": h.mean((1, 2))}

    weights = jax.random.normal(jax.random.key(0), (channels, 6))
    return fv.from_function(network, weights, input=fv.InputSpec(size=(16, 16), channels=channels, rgb=rgb))


@pytest.fixture(scope="module")
def model():
    return network_of(7, rgb=RGB)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The images as files, one as a TIFF of seven pages, and a photograph of three bands among them."""
    folder = tmp_path_factory.mktemp("scenes")
    for index, image in enumerate(IMAGES[1:], 1):
        np.save(folder / f"{index:02}.npy", image)
    pages = [Image.fromarray(IMAGES[0, ..., band]) for band in range(7)]
    pages[0].save(folder / "00.tif", save_all=True, append_images=pages[1:])
    Image.new("RGB", (20, 20)).save(folder / "99.jpg")
    return folder


@pytest.fixture(scope="module")
def surveyed(model, folder, tmp_path_factory):
    return fv.survey(model, folder, out=tmp_path_factory.mktemp("out") / "s", layers=["h"], progress=False)


def test_files_and_arrays_give_the_same_survey(model, surveyed, tmp_path):
    assert surveyed.faults == {"44": "it has 3 bands; expected 7"}
    arrays = fv.survey(model, IMAGES, out=tmp_path / "s", layers=["h"], progress=False)
    np.testing.assert_array_equal(surveyed.maxima("h")[:44], arrays.maxima("h"))
    np.testing.assert_array_equal(surveyed.photo(0), arrays.photo(0))


def test_values_are_those_of_the_network(model, surveyed):
    photo = surveyed.photo(3)
    assert photo.shape == (16, 16, 7)
    values = np.asarray(model.apply(model.weights, photo[None] / np.float32(255), layers=["h"])["h"])[0]
    inner = values[2:14, 2:14]
    np.testing.assert_allclose(surveyed.maxima("h")[3], inner.max((0, 1)), rtol=1e-5)


def test_exemplars_evidence_and_check(model, surveyed, folder):
    pictures = fv.render(model, fv.channel("h", [0, 1]), size=16, steps=2, progress=False)
    assert fv.exemplars(surveyed, "h", 1).label == "h:1"
    same = fv.evidence(pictures, surveyed, other=fv.Features(model, "h"), progress=False)
    colors = fv.evidence(pictures, surveyed, other=fv.Features(network_of(3), "h"), progress=False)
    assert np.isfinite(same.column("activation")).all() and len(colors.rows) == 2
    assert fv.check_input(model, folder).measurements
    with pytest.raises(FeatvizError, match="3 channels; expected 4, as the network takes"):
        fv.evidence(pictures, surveyed, other=fv.Features(network_of(4), "h"), progress=False)


def test_pictures_show_the_chosen_bands(model, tmp_path):
    picture = fv.render(model, fv.channel("h", 0), size=16, steps=2, progress=False)
    expected = np.rint(np.clip(picture.pixels[..., list(RGB)], 0, 1) * 255)
    np.testing.assert_array_equal(np.asarray(picture.preview()), expected)
    picture.save(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.asarray(fv.load_picture(tmp_path / "a.npy").preview()), expected)


def test_an_atlas_shows_the_chosen_bands(model, surveyed, tmp_path):
    options = {"layers": ["h"], "units": {"h": [2]}, "size": 16, "steps": 2, "progress": False}
    atlas = fv.build_atlas(model, out=tmp_path / "a", **options)
    (page,) = (tmp_path / "a" / "site").rglob("main.webp")
    shown = np.asarray(Image.open(page).convert("RGB"), np.float32)
    assert np.abs(shown - atlas.pixels("h")[2][..., list(RGB)]).mean() < 25
    crop = survey_records(surveyed, "h", {2: atlas.picture("h:2")})[2].examples[0]
    assert crop.pixels.shape[-1] == 3 and crop.href is None


def test_an_array_file_is_a_photograph_of_colors_too(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES[0, ..., :3])
    (name,) = find_photos(tmp_path).names
    photo = prepare(name, tmp_path / name, (16, 16), 3)
    np.testing.assert_array_equal(photo.pixels, prepare("", IMAGES[0, ..., :3], (16, 16), 3).pixels)
    np.save(tmp_path / "b.npy", IMAGES[0])
    assert prepare("b", tmp_path / "b.npy", (16, 16), 3).fault == "has 7 channels; expected 1, 3 or 4"


@pytest.mark.parametrize("rgb", [(1, 2), (0, 1, 7), (-1, 0, 1), 3])
def test_bands_that_the_network_lacks_are_refused(rgb):
    with pytest.raises(FeatvizError, match="`rgb` is .* expected three of the 7 channels"):
        fv.InputSpec(size=16, channels=7, rgb=rgb)


def test_the_spectrum_of_arrays_has_their_bands():
    spectrum, faults = fv.measure_spectrum(IMAGES[:4], size=16, progress=False)
    assert spectrum.values.shape == (7, 16, 9) and not faults
