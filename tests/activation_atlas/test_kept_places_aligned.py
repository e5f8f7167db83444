"""Maps on one layout: two layers, two checkpoints of a training, and the lists by which pages lead to each other."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import featviz as fv
from featviz.activation_atlas.kept_places import follow, read_placed
from featviz.activation_atlas.map_positions import sample_positions
from featviz.activation_atlas.site.aligned_maps import read_aligned
from featviz.errors import FeatvizError
from featviz.surveys.photos import find_photos
from featviz.surveys.receptive_fields import grid_of

# Half of a photograph is of one brightness and color, half of another: what lies at a place is told by its halves.
RNG = np.random.default_rng(0)
PHOTOS = [np.repeat(np.repeat(RNG.integers(0, 256, (2, 1, 3)), 8, 0), 16, 1).astype(np.uint8) for _ in range(24)]
OPTIONS = {"levels": (2,), "layout": "pca", "size": 16, "steps": 1, "per_photo": 8, "min_photos": 1, "progress": False}


def build(model, layer, out, **options):
    return fv.build_activation_atlas(model, layer, PHOTOS, out=out, **{**OPTIONS, **options})


def trained(model, steps):
    """The network after some steps of gradient descent: to tell the photographs apart."""
    images = jnp.asarray(np.stack(PHOTOS), jnp.float32) / 255
    labels = jnp.arange(len(PHOTOS))

    @jax.jit
    def step(weights):
        def loss(weights):
            logits = model.apply(weights, images, layers=("fc",))["fc"]
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

        return jax.tree.map(lambda value, slope: value - 0.5 * slope, weights, jax.grad(loss)(weights))

    weights = model.weights
    for _ in range(steps):
        weights = step(weights)
    return replace(model, weights=jax.tree.map(np.asarray, weights))


def apart(model, layer, made, guide):
    """How far each activation lies from the place that it follows, at the median."""
    options = {"per_photo": 8, "seed": 0, "tokens": False, "progress": False}
    positions = sample_positions(model, layer, find_photos(PHOTOS), made.folder / "activations", **options)
    grid = grid_of(model.layer(layer).shape, model.input.size)
    return float(np.median(np.linalg.norm(made.places - follow(positions, grid, read_placed(guide.folder)), axis=1)))


@pytest.fixture(scope="module")
def first(tiny, tmp_path_factory):
    return build(tiny, "conv1/relu", tmp_path_factory.mktemp("maps") / "first")


def listed(folder):
    text = (folder / "aligned.js").read_text()
    return json.loads(text.removeprefix("window.alignedMaps = ").rstrip().removesuffix(";"))


def test_another_layer_and_another_checkpoint_lie_where_the_first_map_has_them(tiny, first):
    folder = first.folder.parent
    later = trained(tiny, 20)
    for model, layer, name in ((tiny, "conv2/relu", "second"), (later, "conv1/relu", "later")):
        alone = build(model, layer, folder / f"{name}-alone")
        made = build(model, layer, folder / name, aligned_with=first.folder)
        assert apart(model, layer, made, first) < min(0.3, apart(model, layer, alone, first) + 1e-6)
        assert "on the map of conv1/relu of tiny" in made.facts["layout"]
        # The same again changes nothing.
        again = build(model, layer, folder / name, aligned_with=first.folder)
        np.testing.assert_array_equal(again.places, made.places)
    # Each leads to all, and two checkpoints are told apart by their folders.
    for own in ("first", "second", "later"):
        names = [each["shown"] for each in listed(folder / own)]
        assert names == ["conv1/relu of tiny (first)", "conv2/relu of tiny", "conv1/relu of tiny (later)"]
        assert [each["folder"] for each in listed(folder / own)] == [
            "." if each == own else f"../{each}" for each in ("first", "second", "later")
        ]
    assert listed(folder / "second-alone") == []
    # A map that is made again as it was stays on the lists; one that is laid out otherwise leaves them.
    build(tiny, "conv1/relu", first.folder)
    assert len(listed(first.folder)) == 3
    build(later, "conv1/relu", folder / "later")
    assert listed(folder / "later") == []
    assert [each["shown"] for each in listed(first.folder)] == ["conv1/relu of tiny", "conv2/relu of tiny"]
    assert [each.folder.name for each in read_aligned(folder / "second")] == ["first", "second"]


def test_what_cannot_be_aligned_is_one_line(tiny, first, tmp_path):
    def refused(message, photos=PHOTOS, **options):
        with pytest.raises(FeatvizError, match=message) as error:
            fv.build_activation_atlas(
                tiny,
                "conv1/relu",
                photos,
                **{**OPTIONS, "out": tmp_path / "m", "aligned_with": first.folder, **options},
            )
        assert "\n" not in str(error.value)

    refused("`aligned_with` is the folder of the map itself", out=first.folder)
    refused("`aligned_with` is given with `against`", of=1, against=2)
    refused("nowhere` does not exist", aligned_with=tmp_path / "nowhere")
    refused("is of other photos", photos=PHOTOS[:12])
