"""Are a dictionary's latents cleaner than the neurons of its layer? Monosemanticity of both, with intervals.

    python benchmarks/monosemanticity.py googlenet|deit [--dictionary SAE] [--steps 2000] [--photos FOLDER]
        [--survey FOLDER]

FEATVIZ_TEST_DATA has `networks/` and `photos/`. Without a dictionary, a BatchTopK autoencoder of eight times the width
is fitted first, as `featviz dictionary fit` does. The photographs are surveyed, and each unit gets its score
(`featviz.evaluation.monosemanticity`) from the features of the other of the two networks. Printed are the mean over
units that fire on at least ten photographs, with a 95 % interval from 1,000 samples of units, the mean of all pairs of
photographs to compare with, the share of units that score above it, and the difference between latents and neurons
with its interval.

A unit that fires on few photographs can score high for that alone. So the latents are compared once more with parts of
neurons that fire on as few: each latent with a neuron drawn at random, of which only as many of its strongest
photographs count as the latent fires on.
"""

import argparse
import tempfile

import numpy as np
from dictionary_networks import LAYERS, OTHERS, add_options, firing_units, load, survey_both, with_latents

import featviz as fv
from featviz.evaluation.features import features_of
from featviz.evaluation.monosemanticity import mean_cosine, monosemanticity
from featviz.evaluation.reference_statistics import features_of_photos

MIN_PHOTOS, SAMPLES = 10, 1000


def firing_maxima(survey: fv.Survey, layer: str) -> np.ndarray:
    """The maxima of the units that fire on enough photographs, (photos, units)."""
    maxima = survey.maxima(layer)[survey.readable]
    return maxima[:, firing_units(survey, layer, MIN_PHOTOS)]


def as_sparse(neurons: np.ndarray, latents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each latent a neuron drawn at random, of which as many photographs count as the latent fires on."""
    drawn = neurons[:, rng.integers(0, neurons.shape[1], latents.shape[1])]
    ranks = np.argsort(np.argsort(-drawn, axis=0, kind="stable"), axis=0, kind="stable")
    kept = ranks < (latents > 0).sum(axis=0)[None]
    return np.where(kept, np.maximum(drawn, 0), 0)


def resampled(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The means of samples of units, with replacement."""
    return scores[rng.integers(0, len(scores), (SAMPLES, len(scores)))].mean(axis=1)


def interval(means: np.ndarray) -> str:
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{low:.4f} to {high:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    options = parser.parse_args()
    model, layer = with_latents(options), LAYERS[options.network]
    other = load(OTHERS[options.network])
    with tempfile.TemporaryDirectory() as folder:
        survey = survey_both(model, options, folder)
        embeddings = features_of_photos(survey, features_of(other))[survey.readable]
        neurons, latents = firing_maxima(survey, layer), firing_maxima(survey, f"{layer}/latents")
        widths = [survey.layer(name).units for name in (layer, f"{layer}/latents")]
    rng = np.random.default_rng(0)
    kinds = {"neurons": neurons, "latents": latents, "neurons, as sparse": as_sparse(neurons, latents, rng)}
    everywhere = mean_cosine(embeddings)
    print(
        f"{model.name} {layer}, features of {other.name}; all pairs of {len(embeddings)} photographs {everywhere:.4f}; "
        f"{neurons.shape[1]} of {widths[0]} neurons and {latents.shape[1]} of {widths[1]} latents fire on "
        f"{MIN_PHOTOS} photographs or more"
    )
    scores = {name: monosemanticity(maxima, embeddings) for name, maxima in kinds.items()}
    scores = {name: each[np.isfinite(each)] for name, each in scores.items()}
    means = {name: resampled(each, np.random.default_rng(index)) for index, (name, each) in enumerate(scores.items())}
    for name, each in scores.items():
        photos = np.median((kinds[name] > 0).sum(axis=0))
        print(
            f"{name}: mean {each.mean():.4f} ({interval(means[name])}), median {np.median(each):.4f}, "
            f"{(each > everywhere).mean():.0%} above all pairs; half fire on {photos:.0f} photographs or more"
        )
    for name in ("neurons", "neurons, as sparse"):
        gap = scores["latents"].mean() - scores[name].mean()
        print(f"latents less {name}: {gap:+.4f} ({interval(means['latents'] - means[name])})")


if __name__ == "__main__":
    main()
