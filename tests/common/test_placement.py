"""A model works wherever its weights lie: on another device, spread over several, replicated, or in NumPy's memory."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from featviz.common.compilation import compiled
from featviz.common.placement import gather

SCRIPT = """
import dataclasses, sys, tempfile, warnings
import jax, numpy as np, featviz as fv
first, second = jax.devices()
model = fv.load("patterns")
leaves, tree = jax.tree.flatten(model.weights)
mesh = jax.sharding.Mesh(np.array([first, second]), "x")
weights = {
    "second": jax.device_put(model.weights, second),
    "split": jax.tree.unflatten(tree, [jax.device_put(x, (first, second)[i % 2]) for i, x in enumerate(leaves)]),
    "replicated": jax.device_put(model.weights, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())),
    "numpy": jax.tree.map(np.asarray, model.weights),
}[sys.argv[1]]
draw = np.random.default_rng(0)
photos = [draw.random((40, 40, 3)).astype("f4") for _ in range(9)]
large = draw.random((260, 260, 3)).astype("f4")
quick = {"octaves": 1, "steps": 1, "progress": False}
def scores(model, **given):
    features = fv.observe(model, photos[0], "conv2", **given)
    yield features
    yield fv.render(model, fv.channel("conv2", 1), size=32, steps=2, progress=False, **given).score
    for objective in (fv.deepdream("conv1"), fv.guided_dream("conv2", features)):
        yield fv.dream(model, photos[0], objective, **quick, **given).score
    yield fv.dream(model, large, fv.deepdream("conv1"), tile=256, **quick, **given).score
    yield [film.score for film in fv.dream_frames(model, photos[:2], fv.deepdream("conv1"), **quick, **given)]
    if not given:
        with tempfile.TemporaryDirectory() as folder:
            survey = fv.survey(model, photos, out=folder + "/survey", layers=["conv2"], progress=False)
            yield fv.exemplars(survey, "conv2", 1).terms[0].vector
            fv.check_input(model, photos)
expected = list(scores(model))
for found in (scores(dataclasses.replace(model, weights=weights)), scores(model, weights=weights)):
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-5)
"""


SLOW = [pytest.param(where, marks=pytest.mark.slow) for where in ("split", "replicated", "numpy")]


@pytest.mark.parametrize("where", ["second", *SLOW])
def test_all_that_takes_a_model_takes_it_wherever_its_weights_are(where):
    options = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=1"}
    environment = {**os.environ, **options, "JAX_PLATFORMS": "cpu"}
    ended = subprocess.run([sys.executable, "-c", SCRIPT, where], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_a_tree_on_one_device_stays_the_same_object():
    tree = {"a": jax.device_put(np.ones(3), jax.devices()[0]), "b": np.ones(2), "c": 1.0}
    assert gather(tree) is tree


def test_arrays_that_are_bound_to_no_device_are_called_with_any():
    program = compiled(jax.jit(lambda x, y: x + y), jax.device_put(np.ones(3), jax.devices()[0]), jax.numpy.ones(3))
    np.testing.assert_array_equal(
        program(jax.device_put(np.ones(3), jax.devices()[0]), jax.numpy.ones(3)), 2 * np.ones(3)
    )
