"""Names of marked values: calls are counted whether they are layers or not, and what is none is listed."""

import jax
import jax.numpy as jnp
import numpy as np

from featviz.tracing.axes import image_layout
from featviz.tracing.following import follow_axes
from featviz.tracing.marks import mark
from featviz.tracing.names import name_values
from featviz.tracing.program import trace

IMAGES = np.ones((2, 8, 8, 3), np.float32)


def names_of(network):
    program, _ = trace(network, np.ones((3, 5), np.float32), IMAGES)
    return name_values(program, 2, follow_axes(program, {program.inputs[-1]: image_layout(IMAGES.shape, 3)}))


def test_the_second_call_is_the_second_where_the_first_sees_no_image():
    def network(w, x):
        table = mark("embed", w @ w.T)
        return mark("embed", x @ w) + mark("embed", x @ w) + table.sum()

    names = names_of(network)
    assert list(names.layers) == ["embed[1]", "embed[2]"]
    assert names.absent == {"embed": "does not depend on the image"}


def test_what_is_no_layer_is_listed_with_its_reason():
    def network(w, x):
        y = mark("conv", x @ w)
        mark("best", jnp.argmax(y, -1))
        mark("total", y.sum((1, 2, 3)))
        mark("mean", y.mean(0))
        return y

    names = names_of(network)
    assert list(names.layers) == ["conv"]
    assert names.absent == {
        "best": "holds int32 values, which have no gradient",
        "total": "is one number an image",
        "mean": "has no axis of the images",
    }


def test_what_lies_in_a_branch_or_a_loop_is_listed():
    def network(w, x):
        y = mark("conv", x @ w)
        y = jax.lax.cond(y.sum() > 0, lambda y: mark("then", y * 2), lambda y: mark("else", y - 1), y)
        y, _ = jax.lax.while_loop(
            lambda state: state[1] < 3, lambda state: (mark("body", state[0] * 2), state[1] + 1), (y, 0)
        )
        y, _ = jax.lax.scan(lambda y, row: (mark("back", y + row[None, None, None]), None), y, w, reverse=True)
        return y

    names = names_of(network)
    assert list(names.layers) == ["conv"]
    assert names.absent == {
        "then": "lies in a branch of a condition",
        "else": "lies in a branch of a condition",
        "body": "lies in a loop of unknown length",
        "back": "lies in a scan that runs backwards",
    }


def test_inside_scans_as_well():
    def network(w, x):
        def advance(y, row):
            mark("block/table", row * 2)
            return mark("block/mixed", jnp.tanh(y + row)), None

        return jax.lax.scan(advance, x @ w, jnp.stack([w[0], w[1]]))[0]

    with jax.numpy_rank_promotion("allow"):
        names = names_of(network)
    assert [name for name in names.layers if "mixed" in name] == ["block[0]/mixed", "block[1]/mixed"]
    assert list(names.absent) == ["block[0]/table", "block[1]/table"]


def test_attention_whose_tokens_come_first_has_heads():
    def network(w, x):
        tokens = (x @ w).reshape(2, 64, 5).swapaxes(0, 1)
        q = jnp.concatenate([tokens, tokens], -1).reshape(64, 4, 5).swapaxes(0, 1)  # images and heads on one axis
        scores = jax.nn.softmax(q @ q.swapaxes(1, 2))
        return (scores @ q).swapaxes(0, 1).reshape(128, 10) @ jnp.ones((10, 3))

    assert "heads" in names_of(network).layers
