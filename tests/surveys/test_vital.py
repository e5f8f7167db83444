"""VITAL: statistics of photographs, of a unit's by their relevance, in Python and on the command line."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.evidence import LAYER, blobs

import featviz as fv
from featviz.cli.main import run
from featviz.common.files import write_atomic
from featviz.errors import FeatvizError
from featviz.surveys.matched_statistics import best_photos, channel_targets, class_targets

BELOW = "conv2"


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(1)
    return [blobs(rng) for _ in range(5)]


@pytest.fixture(scope="module")
def folder(photos, tmp_path_factory):
    import io

    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for index, photo in enumerate(photos):
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, "PNG")
        write_atomic(folder / f"{index}.png", buffer.getvalue())
    return folder


def activations(model, images, layer):
    images = np.stack(images).astype(np.float32) / np.float32(255)
    h = np.asarray(model.apply(model.weights, images, layers=[layer])[layer])
    return h.reshape(len(h), -1, h.shape[-1])


def test_a_class_has_the_mean_of_sorted_activations(patterns, photos):
    values, importance = class_targets(patterns, (BELOW,), photos)[BELOW]
    np.testing.assert_allclose(values, np.sort(activations(patterns, photos, BELOW), axis=1).mean(0), atol=1e-4)
    assert (importance == 1).all()


def test_a_channel_has_activations_where_it_looks_and_units_by_their_relevance():
    """A network of one linear layer behind another, whose relevance and receptive field of a pixel are known."""
    first = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    second = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)

    def network(weights, images):
        below = images @ weights[0]
        return {"below": below, "above": below @ weights[1]}

    model = fv.from_function(network, [first, second], input=fv.InputSpec(size=(4, 5)))
    images = [np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8) for seed in range(3)]
    values, importance = channel_targets(model, ("below",), "above", 1, images, side=1)["below"]
    below, above = activations(model, images, "below"), activations(model, images, "above")
    # The largest activation is looked for at interior positions.
    interior = np.zeros((4, 5), bool)
    interior[1:-1, 1:-1] = True
    places = np.where(interior.ravel(), above[..., 1], -np.inf).argmax(1)
    expected = np.mean([below[image, place] for image, place in enumerate(places)], axis=0)
    np.testing.assert_allclose(values, np.tile(expected, (20, 1)), atol=1e-5)
    best = above[..., 1].argmax(1)
    largest = sum(np.maximum(below[image, place] * second[:, 1], 0) for image, place in enumerate(best))
    np.testing.assert_allclose(importance, (largest - largest.min()) / np.ptp(largest), atol=1e-5)


def test_each_layer_counts_by_its_weight(patterns, photos):
    objective = fv.vital(patterns, fv.logit(2), photos, layers=[BELOW, LAYER], weights=[2.0, 3.0])
    inner = objective.terms[0].objective
    for term, weight, wanted in zip(inner.terms, inner.weights, (2.0, 3.0), strict=True):
        assert float(weight) * float(np.mean(term.importance * np.square(term.targets))) == pytest.approx(
            wanted, rel=1e-4
        )
    assert (objective.label, objective.class_index) == ("logit:2", 2)
    # Zeros are as far from the targets as their own size.
    zeros = {name: jnp.zeros((1, *patterns.layer(name).shape)) for name in (BELOW, LAYER)}
    assert float(objective(zeros)[0]) == pytest.approx(-5.0, rel=1e-4)


def test_a_picture_comes_to_the_statistics_of_its_photographs(patterns, photos):
    objective = fv.vital(patterns, fv.channel("mixed3a", 3), photos, count=3)
    assert objective.label == "mixed3a:3" and objective.layers == ("conv1", "conv2", "mixed3a")
    picture = fv.render(patterns, objective, recipe="vital_2025", size=64, steps=40, progress=False)
    assert picture.score > 0.7 * picture.clean_history[0, 1] and picture.score < 0


def test_photographs_of_a_survey_are_those_of_half_a(blob_survey):
    half = [blob_survey.photo(index) for index in np.flatnonzero(blob_survey.readable)[::2]]
    found = best_photos(blob_survey.model, LAYER, 2, blob_survey, count=4)
    np.testing.assert_array_equal(found, best_photos(blob_survey.model, LAYER, 2, half, count=4))
    assert len(found) == 4


def test_what_does_not_fit_is_refused(patterns, photos, blob_survey, tmp_path):
    for objective, references, options, message in (
        (fv.deepdream("conv2"), photos, {}, "`objective` is conv2:whole; expected a channel or a class"),
        (-fv.channel("conv2", 1), photos, {}, "`objective` is -conv2:1; expected a channel"),
        (fv.logit(1), blob_survey, {}, "`references` is a survey; of a class, expected photographs"),
        (fv.channel("conv2", 1), [], {}, "`references` has no photograph that can be read"),
        (
            fv.channel("mixed3a", 1),
            photos,
            {"weights": [1.0]},
            "`weights` has 1 .* expected 3, .*conv2, mixed3a",
        ),
        (fv.channel("conv1", 500), photos, {}, "`objective` is conv1:500; conv1 has units 0 to "),
        (fv.channel("conv1", 1), photos, {"layers": ["conv2"]}, "`layers` has conv2, which lies behind conv1"),
        (fv.channel("conv1", 1), photos, {"count": 0}, "`count` is 0"),
        (fv.logit(1), photos, {"layers": ["nowhere"]}, "has no layer `nowhere`"),
        (fv.logit(1), tmp_path / "none", {}, "does not exist; expected a folder of images"),
    ):
        with pytest.raises(FeatvizError, match=message):
            fv.vital(patterns, objective, references, **options)


def test_the_command_line_draws_channels_and_classes(blob_survey, folder, tmp_path, capsys):
    words = ["render", "patterns", "--steps", "2", "--size", "64", "--recipe", "vital_2025", "--quiet"]
    run([*words, f"{LAYER}:2", "--references", str(blob_survey.store.path), "-o", str(tmp_path / "unit.png")])
    record = fv.load_picture(tmp_path / "unit.png").provenance
    assert record["name"] == f"{LAYER}:2" and record["objective"]["terms"][0]["kind"] == "Vital"
    run([*words, "logit:1", "--references", str(folder), "-o", str(tmp_path / "class.png")])
    assert fv.load_picture(tmp_path / "class.png").provenance["name"] == "logit:1"
    for more, message in (
        (["--references", str(tmp_path / "none")], "expected a folder of images"),
        (["--references", str(folder), "--facets", "2"], "--references stands beside"),
    ):
        with pytest.raises(SystemExit):
            run([*words, "logit:1", *more, "-o", str(tmp_path / "x.png")])
        assert message in capsys.readouterr().err
