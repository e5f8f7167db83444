"""The redirected ReLU gradient is what its definition says, image by image, and the ReLU's own elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from featviz.gradients.redirect import MINIMUM, redirected_gelu, redirected_relu
from featviz.tracing.evaluation import rewrite

ON, OFF = jnp.array(True), jnp.array(False)
RELUS = {np.inf: jax.nn.relu, 6.0: jax.nn.relu6}
RNG = np.random.default_rng(0)
# Four images: wholly closed from below, partly open, wholly beyond 6, and some of each side.
X = RNG.normal(size=(4, 5, 3)).astype(np.float32)
X[0] = -np.abs(X[0]) - 0.1
X[2] = np.abs(X[2]) + 6.5
X[3, :2], X[3, 2:] = -1.0, 8.0
G = RNG.normal(size=X.shape).astype(np.float32)


def defined(x, g, upper, active):
    """The definition in numpy, one image at a time."""
    result = np.zeros_like(g)
    for image in range(len(x)):
        own = [gi if 0 < xi < upper else 0.0 for xi, gi in zip(x[image].flat, g[image].flat, strict=True)]
        if active and not np.any(own):
            own = [
                max(gi, 0.0) if xi <= 0 else min(gi, 0.0) if xi >= upper else gi
                for xi, gi in zip(x[image].flat, g[image].flat, strict=True)
            ]
        result[image] = np.reshape(own, x[image].shape)
    return result


def redirect(function, active):
    return lambda x: rewrite(jax.make_jaxpr(function)(x), [redirected_relu(active)])(x)[0]


def pull(function, x, g):
    return np.asarray(jax.jit(lambda x, g: jax.vjp(function, x)[1](g)[0])(x, g))


@pytest.mark.parametrize("upper", RELUS)
@pytest.mark.parametrize("active", [True, False])
def test_the_gradient_is_the_one_defined(upper, active):
    relu = redirect(RELUS[upper], jnp.array(active))
    np.testing.assert_array_equal(pull(relu, X, G), defined(X, G, upper, active))
    np.testing.assert_array_equal(relu(X), np.clip(X, 0, upper))


@pytest.mark.parametrize("upper", RELUS)
def test_while_inactive_it_is_the_plain_gradient(upper):
    np.testing.assert_array_equal(pull(redirect(RELUS[upper], OFF), X, G), pull(RELUS[upper], X, G))


def test_an_image_with_any_gradient_keeps_its_own():
    got, plain = pull(redirect(jax.nn.relu, ON), X, G), pull(jax.nn.relu, X, G)
    np.testing.assert_array_equal(got[1:], plain[1:])
    assert not plain[0].any()
    assert got[0].any()


def test_silent_images_are_only_ever_opened():
    got = pull(redirect(jax.nn.relu6, ON), X, G)
    for image in (0, 2, 3):
        assert got[image].any()
        assert np.all(got[image][X[image] <= 0] >= 0)
        assert np.all(got[image][X[image] >= 6] <= 0)


def test_an_open_unit_that_gets_no_gradient_leaves_its_image_silent():
    x = np.array([[1.0, -1.0, -2.0]], np.float32)
    g = np.array([[0.0, 2.0, -3.0]], np.float32)
    np.testing.assert_array_equal(pull(redirect(jax.nn.relu, ON), x, g), [[0.0, 2.0, 0.0]])


def test_neighbors_in_the_batch_do_not_matter():
    relu = redirect(jax.nn.relu6, ON)
    alone = np.concatenate([pull(relu, X[i : i + 1], G[i : i + 1]) for i in range(len(X))])
    np.testing.assert_array_equal(pull(relu, X, G), alone)


def test_lanes_are_separate_under_vmap():
    lanes, g = np.stack([X, -X, X[::-1]]), np.stack([G, -G, G])
    active = jnp.array([True, True, False])

    @jax.jit
    @jax.vmap
    def backwards(x, g, active):
        return jax.vjp(redirect(jax.nn.relu6, active), x)[1](g)[0]

    expected = [defined(x, g, 6.0, on) for x, g, on in zip(lanes, g, active.tolist(), strict=True)]
    np.testing.assert_array_equal(backwards(lanes, g, active), np.stack(expected))


def test_it_reaches_into_a_scan():
    def twice(x):
        return lax.scan(lambda c, _: (jax.nn.relu(c) - 1.0, None), x, None, length=2)[0]

    # The second ReLU sees what the first one left, less one.
    second = np.maximum(X, 0) - 1
    expected = defined(X, defined(second, G, np.inf, True), np.inf, True)
    np.testing.assert_array_equal(pull(redirect(twice, ON), X, G), expected)
    assert not np.array_equal(expected, pull(twice, X, G))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_it_reaches_into_a_cond(side):
    def branched(x):
        return lax.cond(side > 0, jax.nn.relu, lambda x: 2.0 * jax.nn.relu6(x), x)

    upper, factor = (np.inf, 1) if side > 0 else (6.0, 2)
    np.testing.assert_array_equal(pull(redirect(branched, ON), X, G), defined(X, np.float32(factor) * G, upper, True))


@pytest.mark.parametrize("active", [ON, OFF])
def test_clipped_integers_and_lone_numbers_run_as_they_are(active):
    index = np.array([[-1, 2, 9]], np.int32)
    clipped = redirect(lambda i: jnp.clip(i, 0, 5), active)(index)
    assert (clipped.dtype, clipped.tolist()) == (jnp.int32, [[0, 2, 5]])
    assert float(jax.grad(redirect(jax.nn.relu, active))(-1.0)) == 0.0


def test_bfloat16_stays_bfloat16():
    x, g = jnp.asarray(X, jnp.bfloat16), jnp.asarray(G, jnp.bfloat16)
    relu = redirect(jax.nn.relu6, ON)
    (got,) = jax.vjp(relu, x)[1](g)
    assert (relu(x).dtype, got.dtype) == (jnp.bfloat16, jnp.bfloat16)
    expected = defined(np.asarray(x, np.float32), np.asarray(g, np.float32), 6.0, True)
    np.testing.assert_array_equal(np.asarray(got, np.float32), expected)


@pytest.mark.parametrize("upper", RELUS)
@pytest.mark.parametrize("silent", [ON, OFF])
def test_a_relu_with_a_way_around_looks_at_no_gradient_and_passes_all_of_it_where_nothing_moved(upper, silent):
    def residual(x):
        return x + 2.0 * RELUS[upper](x)

    redirected = rewrite(jax.make_jaxpr(residual)(X), [redirected_relu(ON, silent=silent)])
    open_units = np.ones_like(X) if silent else (X > 0) & (upper > X)
    expected = G + np.where(open_units, np.float32(2) * G, 0)
    np.testing.assert_array_equal(pull(lambda x: redirected(x)[0], X, G), expected)
    np.testing.assert_array_equal(redirected(X)[0], residual(X))


def test_relus_side_by_side_at_the_end_look_at_their_own_gradient():
    def branches(x):
        return jnp.concatenate([jax.nn.relu(x), jax.nn.relu6(x)], axis=-1).reshape(len(x), -1)

    redirected = rewrite(jax.make_jaxpr(branches)(X), [redirected_relu(ON, silent=OFF)])
    g = np.concatenate([G, G], axis=-1).reshape(len(X), -1)
    expected = defined(X, G, np.inf, True) + defined(X, G, 6.0, True)
    np.testing.assert_array_equal(pull(lambda x: redirected(x)[0], X, g), expected)


SMOOTH = {"gelu": jax.nn.gelu, "silu": jax.nn.silu, "mish": jax.nn.mish}


@pytest.mark.parametrize("kind", MINIMUM)
def test_the_lowest_point_is_where_the_slope_is_zero(kind):
    slope = jax.vmap(jax.grad(SMOOTH[kind]))
    below, above = slope(jnp.array([MINIMUM[kind] - 1e-2, MINIMUM[kind] + 1e-2]))
    assert below < 0 < above


@pytest.mark.parametrize("kind", MINIMUM)
def test_a_smooth_function_leads_an_image_out_of_where_it_falls(kind):
    function = SMOOTH[kind]
    x = jnp.array([[-3.0, -4.0], [-3.0, 0.5], [1.0, 2.0]])
    redirected = rewrite(jax.make_jaxpr(function)(x), [redirected_gelu()])
    np.testing.assert_array_equal(redirected(x)[0], function(x))
    weights = jnp.array([[1.0, -1.0], [1.0, 1.0], [1.0, 1.0]])
    ours = jax.grad(lambda x: jnp.sum(weights * redirected(x)[0]))(x)
    own = jax.grad(lambda x: jnp.sum(weights * function(x)))(x)
    # The first image is astray as a whole: up where it should rise, and nothing where it should fall.
    np.testing.assert_array_equal(ours[0], [1.0, 0.0])
    np.testing.assert_allclose(ours[1:], own[1:], rtol=1e-5)
