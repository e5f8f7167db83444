"""Dreams: the algorithm of 2015 step by step, tiles without seams, masks, films, and going on where one stopped."""

from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.dreaming.dream import prepare
from featviz.dreaming.dream_steps import draw_shift, normalize_bands
from featviz.dreaming.film import zoom_into
from featviz.dreaming.octaves import MOST, count_octaves, octave_sizes, shrink
from featviz.dreaming.tile_gradients import TiledGradient
from featviz.dreaming.tile_margin import plan_tiling, reach
from featviz.dreaming.tiles import Tiling, cut, place
from featviz.dreaming.video import read_frames, save_film
from featviz.errors import FeatvizError

QUIET = {"progress": False}


@pytest.fixture
def photo():
    draw = np.random.default_rng(3)
    return np.clip(0.5 + ndimage.gaussian_filter(draw.normal(size=(72, 96, 3)), (3, 3, 0)) * 2, 0, 1).astype(np.float32)


def dream_in_numpy(model, photo, layer, *, octaves, steps, seed, step=1.5, jitter=32, scale=1.4):
    """The notebook's loop on 0..255, with nothing of featviz but the network and its random shifts."""
    key = jax.random.key(seed)

    @jax.jit
    def half_squares(x):
        def total(x):
            h = model.apply(model.weights, x / 255, layers=(layer,))[layer]
            return jnp.sum(jnp.square(h)) / 2

        return jax.grad(total)(x)

    bases = [photo.astype(np.float64) * 255]
    for _ in range(octaves - 1):
        bases.append(ndimage.zoom(bases[-1], (1.0 / scale, 1.0 / scale, 1), order=1))
    detail = np.zeros_like(bases[-1])
    for number, base in enumerate(bases[::-1]):
        if number > 0:
            factors = (base.shape[0] / detail.shape[0], base.shape[1] / detail.shape[1], 1)
            detail = ndimage.zoom(detail, factors, order=1)
        x = base + detail
        for at in range(steps):
            rows, columns = draw_shift(key, number, at, jitter)
            x = np.roll(np.roll(x, columns, 1), rows, 0)
            g = np.asarray(half_squares(jnp.asarray(x[None], jnp.float32)), np.float64)[0]
            x = x + step / np.abs(g).mean() * g
            x = np.roll(np.roll(x, -columns, 1), -rows, 0)
            x = np.clip(x, 0, 255)
        detail = x - base
    return x / 255


@pytest.mark.parametrize(("octaves", "steps"), [(1, 1), (1, 4), (3, 1), (2, 2)])
def test_it_is_the_notebooks_loop(octaves, steps, patterns, photo):
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=octaves, steps=steps, seed=7, **QUIET)
    expected = dream_in_numpy(patterns, photo, "conv2", octaves=octaves, steps=steps, seed=7)
    assert np.abs(found.pixels - photo).mean() > 0.003
    # Rounding grows from step to step.
    np.testing.assert_allclose(found.pixels, expected, atol=2e-3)
    assert np.abs(found.pixels - expected).mean() < 2e-5


def test_each_step_changes_pixels_by_its_size_in_the_mean(patterns, photo):
    inside = 0.3 + 0.4 * photo
    found = fv.dream(patterns, inside, fv.deepdream("conv2"), octaves=1, steps=1, step_size=0.01, **QUIET)
    assert np.abs(found.pixels - inside).mean() == pytest.approx(0.01, rel=1e-2)


@pytest.mark.parametrize("laplacian", [0, 4])
def test_the_objective_rises(laplacian, patterns, photo):
    objective = fv.channel("conv2", 3) + 0.5 * fv.channel("conv1", 2)
    found = fv.dream(patterns, photo, objective, octaves=2, steps=5, laplacian=laplacian, **QUIET)
    before = float(objective(patterns.apply(patterns.weights, jnp.asarray(photo[None])))[0])
    assert found.score > before + 0.1 * abs(before)
    assert found.outcome is Outcome.OUT_OF_STEPS and len(found.history) == 10
    assert found.pixels.min() >= 0 and found.pixels.max() <= 1
    assert found.provenance["name"] == objective.label and found.provenance["command"] is None


def test_negative_targets_fall(patterns, photo):
    found = fv.dream(patterns, photo, -fv.channel("conv2", 3), octaves=1, steps=5, **QUIET)
    assert found.score > found.history[0]


def test_a_guide_gives_its_best_features(patterns, photo):
    features = fv.observe(patterns, photo[::-1].copy(), "conv2")
    found = fv.dream(patterns, photo, fv.guided_dream("conv2", features), octaves=1, steps=4, **QUIET)
    assert found.score > found.history[0]


def test_where_the_mask_is_black_the_photo_stays(patterns, photo):
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[:, 48:] = 1
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=1, steps=3, mask=mask, **QUIET)
    np.testing.assert_array_equal(found.pixels[:, :48], photo[:, :48])
    assert np.abs(found.pixels - photo)[:, 48:].mean() > 0.003


def test_octaves_are_scipys_zoom():
    photo = np.random.default_rng(0).random((57, 80, 3)).astype(np.float32)
    sizes = octave_sizes((57, 80), scale=1.4, count=3)
    expected = photo
    for made in shrink(photo, sizes)[::-1]:
        np.testing.assert_allclose(made, expected, atol=1e-6)
        expected = ndimage.zoom(expected, (1 / 1.4, 1 / 1.4, 1), order=1)


def test_the_bands_have_one_size():
    gradient = np.random.default_rng(0).normal(size=(64, 80, 3)).astype(np.float32)
    gradient += 50 * np.linspace(-1, 1, 80, dtype=np.float32)[None, :, None]
    made = normalize_bands(gradient, 4)
    fine = [np.abs(each - ndimage.gaussian_filter(each, (2, 2, 0))).mean() / each.std() for each in (gradient, made)]
    assert made.shape == gradient.shape and fine[1] > 2 * fine[0]
    # Whatever the gradient's unit.
    np.testing.assert_allclose(normalize_bands(gradient * np.float32(1e-9), 4), made, rtol=1e-3, atol=1e-4)


class TestTiles:
    @pytest.mark.parametrize("size", [(5, 7), (100, 40), (64, 64), (193, 250)])
    @pytest.mark.parametrize("shift", [(0, 0), (31, -32), (-7, 5), (-64, 64), (-1000, 1000), (-65, -129)])
    def test_each_pixel_is_answered_for_once(self, size, shift):
        count = np.zeros(size, int)
        tiling = Tiling(96, 16)
        for tile in place(size, tiling, shift):
            count[tile.core] += 1
            for axis in (0, 1):
                core = tile.core[axis]
                # Beside its core a tile has at least the margin.
                assert tile.corner[axis] + 16 <= core.start and core.stop <= tile.corner[axis] + 80
        assert (count == 1).all()

    def test_beyond_the_edges_a_photo_is_mirrored(self):
        photo = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
        np.testing.assert_array_equal(
            cut(photo, (-3, -2), 12), np.pad(photo, ((3, 4), (2, 4), (0, 0)), mode="symmetric")
        )

    @pytest.mark.parametrize(("layer", "side"), [("conv2", 128), ("mixed4a", 320)])
    def test_no_seam(self, layer, side, patterns):
        photo = np.random.default_rng(1).random((480, 480, 3)).astype(np.float32)
        photo = ndimage.gaussian_filter(photo, (1, 1, 0)) * 3 - 1
        check_seams(patterns, patterns.weights, np.clip(photo, 0, 1), layer, side)

    # Of these sizes four tiles meet where neither the photo's edges are seen nor those of a tile.
    @pytest.mark.parametrize(
        ("layer", "side", "size"), [("inception_3b", 384, (640, 672)), ("inception_4c", 896, (928, 960))]
    )
    def test_no_seam_in_googlenet(self, layer, side, size, googlenet):
        photo = np.random.default_rng(1).normal(size=(*size, 3))
        photo = np.clip(0.5 + 2 * ndimage.gaussian_filter(photo, (2, 2, 0)), 0, 1).astype(np.float32)
        check_seams(googlenet, googlenet.weights, photo, layer, side)

    def test_a_dream_in_tiles_is_that_in_one_piece(self, patterns):
        photo = np.random.default_rng(1).random((192, 224, 3)).astype(np.float32)
        options = {"octaves": 2, "steps": 1, "jitter": 0, **QUIET}
        whole = fv.dream(patterns, photo, fv.deepdream("conv2"), **options)
        tiled = fv.dream(patterns, photo, fv.deepdream("conv2"), tile=160, **options)
        inside = (slice(32, -32), slice(32, -32))
        change = np.abs(whole.pixels - photo)[inside].mean()
        assert np.abs(whole.pixels - tiled.pixels)[inside].mean() < 0.1 * change
        assert tiled.provenance["tile"] == 160

    @pytest.mark.parametrize(
        ("objective", "said"),
        [
            (lambda: fv.logit(3), "looks at the image as a whole"),
            (lambda: fv.neuron("conv2", 3), "looks at the image as a whole"),
            (lambda: fv.cosine("conv2", np.ones(48), position=(0, 0)), "looks at the image as a whole"),
        ],
    )
    def test_what_pools_over_the_image_is_refused(self, objective, said, patterns, photo):
        with pytest.raises(FeatvizError, match=said):
            plan_tiling(patterns, patterns.weights, objective(), side=512)

    def test_a_layer_that_pools_is_refused(self, patterns):
        flat = next(layer.name for layer in patterns.layers if len(layer.shape) == 1)
        with pytest.raises(FeatvizError, match="pools over the whole image"):
            plan_tiling(patterns, patterns.weights, fv.deepdream(flat), side=512)

    def test_attention_to_the_whole_image_is_refused(self, patterns):
        def apply(weights, images, *, layers=None):
            found = patterns.apply(weights, images, layers=layers)
            gate = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
            return {name: value * gate if value.ndim == 4 else value for name, value in found.items()}

        with pytest.raises(FeatvizError, match="looks at all of an image"):
            reach(replace(patterns, apply=apply), patterns.weights, "conv2")

    def test_tiles_too_small_for_a_layer_are_refused(self, patterns, photo):
        with pytest.raises(
            FeatvizError, match=r"^`tile` is 64; .* looks \d+ pixels far, expected at least \d+$"
        ) as caught:
            fv.dream(patterns, photo, fv.deepdream("mixed4a"), octaves=1, tile=64, **QUIET)
        # What is asked for is enough, and less is not.
        least = int(str(caught.value).split()[-1])
        assert plan_tiling(patterns, patterns.weights, fv.deepdream("mixed4a"), side=least).side == least
        with pytest.raises(FeatvizError, match=f"expected at least {least}"):
            plan_tiling(patterns, patterns.weights, fv.deepdream("mixed4a"), side=least - 1)


def check_seams(model, weights, photo, layer, side):
    """The gradient in bands along tile borders within 5 % of that in one piece, and its size that inside tiles."""
    objective = fv.deepdream(layer)
    tiling = plan_tiling(model, weights, objective, side=side)
    _, whole = TiledGradient(model.apply, weights, objective)(photo, (0, 0))
    _, tiled = TiledGradient(model.apply, weights, objective, tiling)(photo, (0, 0))
    size = photo.shape[:2]
    borders = [{tile.core[axis].start for tile in place(size, tiling, (0, 0))} - {0} for axis in (0, 1)]
    assert all(borders)
    inner = np.zeros(size, bool)
    edge = 2 * tiling.margin  # at the edges one is mirrored, the other padded
    inner[edge:-edge, edge:-edge] = True
    band = np.zeros(size, bool)
    for row in borders[0]:
        band[row - 4 : row + 4] = True
    for column in borders[1]:
        band[:, column - 4 : column + 4] = True
    assert (band & inner).any()
    wrong, right = np.abs(tiled - whole).mean(-1), np.abs(whole).mean(-1)
    assert wrong[band & inner].mean() < 0.05 * right[band & inner].mean()
    assert np.abs(tiled).mean(-1)[band & inner].mean() == pytest.approx(right[band & inner].mean(), rel=0.05)


class TestStopping:
    def test_a_stopped_dream_goes_on_bit_for_bit(self, patterns, photo, tmp_path, monkeypatch):
        options = {"octaves": 2, "steps": 3, "seed": 5, **QUIET}
        expected = fv.dream(patterns, photo, fv.deepdream("conv2"), **options)
        state = tmp_path / "state.npz"
        calls, own = [], TiledGradient.__call__

        def interrupted(self, image, shift):
            calls.append(shift)
            if len(calls) == 5:
                raise KeyboardInterrupt
            return own(self, image, shift)

        monkeypatch.setattr(TiledGradient, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fv.dream(patterns, photo, fv.deepdream("conv2"), state=state, **options)
        assert state.exists()
        with pytest.raises(FeatvizError, match="is of another dream"):
            fv.dream(patterns, photo, fv.deepdream("conv1"), state=state, **options)
        found = fv.dream(patterns, photo, fv.deepdream("conv2"), state=state, **options)
        assert len(calls) == 5 + 2 + 1  # the two steps that were left, and the score
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        np.testing.assert_array_equal(found.history, expected.history)
        assert not state.exists()

    def test_a_state_that_is_none_is_refused(self, patterns, photo, tmp_path):
        state = tmp_path / "state.npz"
        state.write_bytes(b"no state")
        with pytest.raises(FeatvizError, match="cannot be read"):
            fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=1, steps=1, state=state, **QUIET)

    def test_the_preview_is_the_last_moment(self, patterns, photo, tmp_path):
        options = {"octaves": 1, "steps": 2, **QUIET}
        found = fv.dream(patterns, photo, fv.deepdream("conv2"), preview=tmp_path / "now.png", **options)
        shown = fv.load_picture(tmp_path / "now.png").pixels
        np.testing.assert_allclose(shown, found.pixels, atol=1 / 255)


class TestFilms:
    def test_zooming_is_the_notebooks(self, photo):
        h, w = photo.shape[:2]
        s = 0.05
        expected = ndimage.affine_transform(photo, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)
        np.testing.assert_allclose(zoom_into(photo, zoom=s), expected, atol=1e-5)

    def test_zooming_out_mirrors_what_comes_in(self, photo):
        out = zoom_into(photo, zoom=-0.5)
        assert out.min() >= photo.min() - 1e-6 and out[:3].std() > 0.01

    def test_rotation_turns_about_the_middle(self):
        image = np.random.default_rng(0).random((21, 21, 1)).astype(np.float32)
        turned = image
        for _ in range(4):
            turned = zoom_into(turned, zoom=0.0, rotate=90.0)
        # (h / 2, w / 2) is the middle, as in 2015: a quarter turn moves what is at pixel 0 to pixel h.
        np.testing.assert_allclose(turned[1:, 1:], image[1:, 1:], atol=1e-4)

    def test_each_frame_is_a_dream_of_the_one_before(self, patterns, photo):
        options = {"octaves": 1, "steps": 2, **QUIET}
        film = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), frames=3, rotate=3.0, seed=4, **options))
        second = fv.dream(
            patterns, zoom_into(film[0].pixels, zoom=0.05, rotate=3.0), fv.deepdream("conv2"), seed=5, **options
        )
        np.testing.assert_array_equal(film[1].pixels, second.pixels)

    def test_a_stopped_film_goes_on(self, patterns, photo, tmp_path):
        options = {"octaves": 1, "steps": 1, "frames": 4, **QUIET}
        expected = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), **options))
        film = fv.dream_film(patterns, photo, fv.deepdream("conv2"), state=tmp_path, **options)
        next(film), next(film)
        assert len(list(tmp_path.iterdir())) == 2
        again = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), state=tmp_path, **options))
        for one, other in zip(again, expected, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
            assert one.score == other.score

    def test_dreams_of_still_frames_stand_still(self, patterns, photo):
        draw = np.random.default_rng(0)
        grain = [np.clip(photo + 0.02 * draw.normal(size=photo.shape), 0, 1).astype(np.float32) for _ in range(4)]
        options = {"octaves": 2, "steps": 4, **QUIET}

        def flicker(dreams):
            """How much what is dreamed changes from frame to frame, of how much it is."""
            changes = [ndimage.gaussian_filter(d - f, (1, 1, 0)) for d, f in zip(dreams, grain, strict=True)][1:]
            return np.mean([np.abs(b - a).mean() for a, b in pairwise(changes)]) / np.mean(np.abs(changes))

        alone = [
            fv.dream(patterns, frame, fv.deepdream("conv2"), seed=number, **options).pixels
            for number, frame in enumerate(grain)
        ]
        together = [each.pixels for each in fv.dream_frames(patterns, grain, fv.deepdream("conv2"), **options)]
        assert flicker(together) < 0.5 * flicker(alone)

    def test_frames_of_two_sizes_are_refused(self, patterns, photo):
        with pytest.raises(FeatvizError, match="expected one size"):
            list(fv.dream_frames(patterns, [photo, photo[:64]], fv.deepdream("conv2"), octaves=1, steps=1, **QUIET))

    @pytest.mark.parametrize("suffix", ["gif", "webp", "mp4"])
    def test_films_hold_all_frames(self, suffix, photo, tmp_path):
        if suffix == "mp4":
            pytest.importorskip("av", reason="PyAV is not installed")
        frames = [photo, 1 - photo, photo]
        path = save_film(iter(frames), tmp_path / f"film.{suffix}", rate=10)
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        if suffix == "mp4":
            found, rate = read_frames(path)
            assert rate == 10
            for one, other in zip(found, frames, strict=True):
                assert np.abs(one - other).mean() < 0.03
        else:
            from PIL import Image

            with Image.open(path) as film:
                assert film.n_frames == 3

    def test_a_film_that_fails_leaves_nothing(self, photo, tmp_path):
        def frames():
            yield photo
            raise FeatvizError("lost")

        with pytest.raises(FeatvizError, match="lost"):
            save_film(frames(), tmp_path / "film.gif")
        with pytest.raises(FeatvizError, match="`frames` is empty"):
            save_film([], tmp_path / "film.gif")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_of_frames_is_read_in_order(self, photo, tmp_path):
        from PIL import Image

        for number, values in enumerate([photo, 1 - photo]):
            Image.fromarray(np.round(values * 255).astype(np.uint8)).save(tmp_path / f"{number:03d}.png")
        found = list(read_frames(tmp_path)[0])
        np.testing.assert_allclose(found, [photo, 1 - photo], atol=1 / 255)
        assert next(read_frames(tmp_path, channels=1)[0]).shape == (72, 96, 1)
        with pytest.raises(FeatvizError, match="the network wants 5 channels; expected 1 or 3"):
            read_frames(tmp_path, channels=5)

    def test_a_damaged_video_is_told_in_one_line(self, photo, tmp_path):
        pytest.importorskip("av", reason="PyAV is not installed")
        whole = save_film([photo] * 30, tmp_path / "film.mp4")
        data = bytearray(whole.read_bytes())
        at = data.index(b"mdat") + 4
        data[at : at + 4000] = bytes(min(4000, len(data) - at))
        whole.write_bytes(bytes(data))
        with pytest.raises(FeatvizError, match=r"the video `film.mp4` (is damaged|cannot be read)"):
            list(read_frames(whole)[0])
        shown = list(read_frames(save_film([photo] * 2, tmp_path / "gray.mp4"), channels=1)[0])
        assert shown[0].shape == (72, 96, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"octaves": 0}, "`octaves` is 0"),
        ({"octaves": 12}, "the smallest would be"),
        ({"octave_scale": 1.0}, "`octave_scale` is 1.0"),
        ({"steps": 0}, "`steps` is 0"),
        ({"step_size": 0.0}, "`step_size` is 0.0"),
        ({"jitter": -1}, "`jitter` is -1"),
        ({"mask": np.ones((3, 3))}, "`mask` has shape"),
        ({"mask": np.full((72, 96), 2.0)}, "`mask` has shape"),
        ({"tile": 7}, "`tile` is 7"),
        ({"seed": -1}, "`seed` is -1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, said, patterns, photo):
    with pytest.raises(FeatvizError, match=said) as caught:
        fv.dream(patterns, photo, fv.deepdream("conv2"), **{"octaves": 1, **options}, **QUIET)
    assert "\n" not in str(caught.value)


def test_a_photo_too_small_is_refused_by_its_size(patterns):
    with pytest.raises(FeatvizError, match="`photo` is 7x64 pixels; expected 8 a side at least"):
        prepare(patterns, (7, 64), fv.deepdream("conv2"))


def test_a_photo_smaller_than_a_tile_is_mirrored_into_it(patterns, photo):
    small = photo[:24, :40]
    dreamed = fv.dream(patterns, small, fv.deepdream("conv1"), octaves=1, steps=1, tile=128, **QUIET)
    assert dreamed.pixels.shape == small.shape and np.abs(dreamed.pixels - small).mean() > 0.5 * 1.5 / 255


def test_octaves_of_nearly_one_size_come_to_an_end():
    assert count_octaves((400, 400), (64, 64), scale=1.0001) == MOST


def test_octaves_are_chosen_for_the_size(patterns):
    assert prepare(patterns, (64, 64), fv.deepdream("conv2")).how.octaves == 1
    assert prepare(patterns, (256, 320), fv.deepdream("conv2")).how.octaves > 3
