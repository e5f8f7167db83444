"""Edits of a network: what they do to the layer, to all behind it, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiny import SMALL

import featviz as fv
from featviz.errors import FeatvizError
from featviz.model import OUTPUT, Layer, hash_architecture

RNG = np.random.default_rng(0)
UNITS = np.arange(8)
IMAGES = RNG.random((2, 16, 16, 3), np.float32)


def head_by_hand(tiny, conv2):
    """The output of the small network from its second layer on."""
    kernel, bias = (tiny.weights["params"]["fc"][name] for name in ("kernel", "bias"))
    return np.asarray(conv2).mean((1, 2)) @ np.asarray(kernel) + np.asarray(bias)


def run(model, *layers, images=IMAGES):
    return {name: np.asarray(value) for name, value in model.apply(model.weights, images, layers=layers).items()}


@pytest.mark.parametrize(
    ("edit", "by_hand"),
    [
        (fv.ablate([1, 3]), lambda h: h * (UNITS != 1) * (UNITS != 3)),
        (fv.ablate(2, to=0.5), lambda h: np.where(UNITS == 2, 0.5, h)),
        (
            fv.ablate([2, 0], to=[0.5, 0.25]),
            lambda h: np.where(UNITS == 2, 0.5, np.where(UNITS == 0, 0.25, h)),
        ),
        (fv.clamp(None, 1.5), lambda h: np.full_like(h, 1.5)),
        (fv.scale(4, -2.0), lambda h: h * np.where(UNITS == 4, -2.0, 1.0)),
        (fv.add_direction(np.arange(8), strength=0.5), lambda h: h + 0.5 * np.arange(8)),
    ],
    ids=["ablate", "ablate to a value", "ablate to a mean", "clamp", "scale", "add"],
)
def test_an_edit_changes_its_layer_and_all_that_follows(tiny, edit, by_hand):
    model = tiny.edited({"conv2/relu": edit})
    plain, edited = run(tiny, "conv1", "conv2/relu"), run(model, "conv1", "conv2/relu", OUTPUT)
    np.testing.assert_array_equal(edited["conv1"], plain["conv1"])
    expected = by_hand(plain["conv2/relu"])
    np.testing.assert_allclose(edited["conv2/relu"], expected, atol=1e-6)
    np.testing.assert_allclose(edited[OUTPUT], head_by_hand(tiny, expected), atol=1e-5)


def test_positions_are_kept_dropped_and_patched(tiny):
    h = run(tiny, "conv2/relu")["conv2/relu"]
    other = RNG.random(h.shape[1:], np.float32)
    for edit, inside, outside in [
        (fv.keep(None, positions=(1, 2)), h, 0 * h),
        (fv.ablate(None, positions=[(1, 2)]), 0 * h, h),
        (fv.patch_in(other, positions=[(1, 2)]), np.broadcast_to(other, h.shape), h),
    ]:
        edited = run(tiny.edited({"conv2/relu": edit}), "conv2/relu")["conv2/relu"]
        here = np.zeros(h.shape, bool)
        here[:, 1, 2] = True
        np.testing.assert_array_equal(edited, np.where(here, inside, outside))


def test_all_of_a_layer_patched_in_leaves_nothing_of_the_image(tiny):
    h = run(tiny, "conv1")["conv1"]
    edited = run(tiny.edited({"conv1": fv.patch_in(h[0])}), OUTPUT)[OUTPUT]
    np.testing.assert_allclose(edited[0], edited[1], atol=1e-6)
    np.testing.assert_allclose(edited[0], run(tiny, OUTPUT)[OUTPUT][0], atol=1e-6)


@pytest.mark.parametrize(("unit", "seed"), [(0, 0), (7, 1), (3, 99)])
def test_resampled_units_come_from_the_samples(unit, seed):
    samples = RNG.random((5, 2, 2, 8), np.float32)
    h = np.zeros((1, 2, 2, 8), np.float32)
    edited = np.asarray(fv.resample(samples, unit, seed=seed)(h))[0]
    assert any((edited[..., unit] == sample[..., unit]).all() for sample in samples)
    assert (np.delete(edited, unit, -1) == 0).all()


def test_edits_follow_one_another_and_add_to_those_before(tiny):
    one = tiny.edited({"conv2/relu": [fv.clamp(0, 2.0), fv.scale(0, 3.0)]})
    two = tiny.edited({"conv2/relu": fv.clamp(0, 2.0)}).edited(
        {"conv2/relu": fv.scale(0, 3.0), "conv1": fv.ablate(None)}
    )
    assert (run(one, "conv2/relu")["conv2/relu"][..., 0] == 6.0).all()
    values = run(two, "conv2/relu", "conv1")
    assert (values["conv2/relu"][..., 0] == 6.0).all() and (values["conv1"] == 0).all()
    assert two.name == "tiny, edited" and two.layers[0].name == tiny.layers[0].name


def test_one_program_serves_every_unit(tiny):
    traces = []

    @jax.jit
    def output(weights, images):
        traces.append(1)
        return first.apply(weights, images, layers=(OUTPUT,))[OUTPUT]

    first = tiny.edited({"conv2": fv.ablate(1)})
    outputs = [
        output(tiny.edited({"conv2": fv.ablate(unit, to=value)}).weights, IMAGES) for unit, value in [(1, 0), (5, 2)]
    ]
    assert len(traces) == 1 and not np.allclose(*outputs)
    assert tiny.edited({"conv2": fv.scale(3, 2.0)}).apply is first.apply


def test_an_edited_network_renders_and_has_a_fingerprint_of_its_own(tiny):
    model = tiny.edited({"conv1/relu": fv.ablate(range(40))})
    picture = fv.render(model, fv.channel("conv2", 3), **SMALL)
    plain = fv.render(tiny, fv.channel("conv2", 3), **SMALL)
    assert picture.score != plain.score
    assert picture.provenance["network"]["weights_sha256"] != plain.provenance["network"]["weights_sha256"]
    assert hash_architecture(model) != hash_architecture(tiny)
    assert picture.provenance["command"] is None and plain.provenance["network"]["name"] == "tiny"


def test_a_layer_that_an_edit_moved_off_its_relu_is_not_rectified(tiny):
    model = tiny.edited({"conv2/relu": fv.add_direction(-np.ones(8))})
    assert tiny.layer("conv2/relu").rectified and not model.layer("conv2/relu").rectified
    assert model.layer("conv1/relu").rectified
    assert np.isfinite(fv.render(model, -fv.channel("conv2/relu", 3), **SMALL).score)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"conv7": fv.ablate(1)}, "tiny has no layer `conv7`; did you mean"),
        ({"conv2": fv.ablate(8)}, "`units` has 8; conv2 has 8 units, 0 to 7"),
        ({"conv2": fv.ablate(None, positions=(9, 0))}, r"`positions` has \(9, 0\), which is outside conv2, 8 x 8"),
        ({"conv2": fv.ablate(None, positions=(9,))}, "`positions` has 1 numbers a position; expected 2"),
        ({"fc": fv.ablate(None, positions=(0,))}, "`positions` is given; fc has no positions"),
        ({"conv2": fv.add_direction(np.ones(3))}, r"`direction` has shape \(3,\); conv2 has 8 units"),
        (
            {"conv2": fv.ablate([1, 2], to=[1.0, 2.0, 3.0])},
            r"has shape \(3,\); expected one number, or one for each of 2",
        ),
        ({"conv2": fv.patch_in(np.ones((2, 8)))}, r"values have shape \(2, 8\); conv2 has \(8, 8, 8\)"),
        ({"conv2": [3]}, "`edits` has 3 for conv2; expected edits"),
        ({"conv2": 3}, "`edits` has 3 for conv2; expected edits"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tiny, edits, message):
    with pytest.raises(FeatvizError, match=message):
        tiny.edited(edits)


def test_what_is_no_unit_or_position_is_refused():
    with pytest.raises(FeatvizError, match="`units` is 'a'; expected a whole number"):
        fv.ablate(["a"])
    with pytest.raises(FeatvizError, match=r"`positions` is \[\(1, 2\), \(3,\)\]"):
        fv.keep(None, positions=[(1, 2), (3,)])
    with pytest.raises(FeatvizError, match="`samples` has shape"):
        fv.resample(jnp.ones(3), 0)
    with pytest.raises(FeatvizError, match="`heads` is 5; expected a divisor of 192"):
        fv.head_units(Layer("heads", (197, 192)), 0, heads=5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fv.clamp(0, None), "`value` is None; expected finite numbers"),
        (lambda: fv.clamp(0, "x"), "`value` is 'x'; expected finite numbers"),
        (lambda: fv.scale(0, [1, 2]), r"`factor` has shape \(2,\); expected one number"),
        (lambda: fv.add_direction([1.0, np.nan]), "`direction` is .*; expected finite numbers"),
        (lambda: fv.keep(0, to=[1.0, 2.0]), r"`to` has shape \(2,\); expected one number"),
    ],
)
def test_numbers_that_are_none_are_refused(make, message):
    with pytest.raises(FeatvizError, match=message):
        make()


def test_positions_are_of_one_picture_size(tiny):
    model = tiny.edited({"conv2": fv.ablate(None, positions=(6, 6))})
    fv.render(model, fv.channel("conv2", 3), **SMALL)
    with pytest.raises(FeatvizError, match="`positions` are of a layer of 8 x 8; at this picture size it is 16 x 16"):
        fv.render(model, fv.channel("conv2", 3), size=32, steps=2, progress=False)
    assert np.ndim(fv.ablate(None, positions=5).where.positions) == 2


def test_a_head_of_attention_is_its_units(deit):
    layer = next(layer for layer in deit.layers if layer.name.endswith("heads"))
    units = fv.head_units(layer, 1, heads=3)
    edited = deit.edited({layer.name: fv.ablate(units, positions=(0,))})
    values = run(edited, layer.name, images=RNG.random((1, 224, 224, 3), np.float32))[layer.name]
    assert (values[0, 0, 64:128] == 0).all() and (values[0, 0, :64] != 0).any() and (values[0, 1, 64:128] != 0).any()
