"""Do aligned activation atlases keep what is at a place of a photo at its place, and what does it cost the layout?

The built-in network is shown images of its own classes. Three pairs of maps: of `mixed3a` and `mixed4a`; of `mixed4a`
halfway through a training of 200 steps and at its end; and at that end and with the shipped weights, which are those of
another training. For each pair it prints, at the median, how far an activation of the second map lies from the place
that it follows on the first, in map sides, aligned and alone (turned to lie on the first as well as it can; .5 by
chance), and the trustworthiness of both layouts (scikit-learn, 15 neighbors by angle).

    python experiments/aligned_maps.py [--steps 200]

It needs umap-learn and scikit-learn. Hardware: one CPU core, five minutes of processor time. Expected: see
docs/activation-atlas.md.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
from pattern_training import fold, forward, init
from train_patterns import CLASSES, DECAY, PEAK_RATE, SMOOTHING, augment, loss_of, make_pool
from watch_patterns import MOMENTUM, batches

import featviz as fv
from featviz.activation_atlas.kept_places import PlacedActivations, follow, where_in_photos
from featviz.activation_atlas.map_layout import LayoutSettings, lay_out, to_unit_square, turned
from featviz.activation_atlas.map_positions import MapPositions, sample_positions
from featviz.surveys.photos import find_photos
from featviz.surveys.receptive_fields import Grid, grid_of

COUNT, POOL, PER_PHOTO, NEIGHBORS = 300, 2400, 8, 15


def checkpoints(steps: int) -> list[fv.Model]:
    """The network halfway through a training and at its end."""
    images, labels = make_pool((0, 1), POOL)
    params = init(np.random.default_rng(0))
    schedule = optax.cosine_onecycle_schedule(steps, PEAK_RATE, 0.15, 10, 100)
    decayed = jax.tree.map(lambda leaf: leaf.ndim > 1, params)
    solver = optax.adamw(schedule, b2=0.99, weight_decay=DECAY, mask=decayed)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(params, state, stats, key, batch, noise, labels):
        targets = optax.smooth_labels(jax.nn.one_hot(labels, len(CLASSES)), SMOOTHING)
        (_, (batch_stats, hits)), grad = jax.value_and_grad(loss_of, has_aux=True)(
            params, augment(key, batch, noise), targets
        )
        update, state = solver.update(grad, state, params)
        stats = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, stats, batch_stats)
        return optax.apply_updates(params, update), state, stats, hits

    first = next(batches(images, labels, 1))
    stats = jax.jit(lambda x: forward(params, None, x)[1])(augment(*first[:3]))
    state, found, network = solver.init(params), [], fv.load("patterns")
    for step, batch in enumerate(batches(images, labels, steps), 1):
        params, state, stats, hits = train(params, state, stats, *batch)
        if step in (steps // 2, steps):
            print(f"step {step}: training accuracy {float(hits):.2f}", flush=True)
            weights = jax.tree.map(np.asarray, {"params": jax.jit(fold)(params, stats)})
            found.append(fv.Model(**{**vars(network), "weights": weights}))
    return found


def sampled(model: fv.Model, layer: str, photos: list[np.ndarray]) -> tuple[MapPositions, Grid]:
    """A layer's activations at sampled positions, and the grid of its positions."""
    options = {"per_photo": PER_PHOTO, "seed": 0, "tokens": False, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        found = sample_positions(model, layer, find_photos(photos), Path(folder) / "activations", **options)
    return found, grid_of(model.layer(layer).shape, model.input.size)


def compare(name: str, first: tuple[MapPositions, Grid], second: tuple[MapPositions, Grid]) -> None:
    """Prints how two maps agree, aligned and alone."""
    from sklearn.manifold import trustworthiness

    settings = LayoutSettings()
    values = [positions.values - positions.center for positions, _ in (first, second)]
    places = lay_out(values[0], layout="umap", settings=settings)
    guide = follow(*second, PlacedActivations(places, first[0].photo, where_in_photos(first[0].position, first[1]), ""))
    alone = lay_out(values[1], layout="umap", settings=settings)
    found = {
        "alone": to_unit_square(turned(alone, guide)),
        "aligned": lay_out(values[1], layout="umap", settings=settings, guide=guide),
    }
    for kind, each in found.items():
        apart = np.median(np.linalg.norm(each - guide, axis=1))
        score = trustworthiness(values[1], each, n_neighbors=NEIGHBORS, metric="cosine")
        print(f"{name}, {kind}: {apart:.3f} from the place that is followed, trustworthiness {score:.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    images, _ = make_pool((0, 2), 1180)
    photos = list(np.random.default_rng(0).permutation(images)[:COUNT])
    model = fv.load("patterns")
    compare("mixed3a and mixed4a", sampled(model, "mixed3a", photos), sampled(model, "mixed4a", photos))
    half, end = (sampled(each, "mixed4a", photos) for each in checkpoints(options.steps))
    compare(f"mixed4a, {options.steps // 2} and {options.steps} steps", half, end)
    compare("mixed4a, two trainings", end, sampled(model, "mixed4a", photos))


if __name__ == "__main__":
    main()
