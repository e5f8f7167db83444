"""Are a dictionary's latents cleaner than the neurons of its layer? Monosemanticity of both, with intervals.

    python benchmarks/monosemanticity.py googlenet|deit [--dictionary SAE] [--steps 2000] [--photos FOLDER]

FEATVIZ_TEST_DATA has `networks/` and `photos/`. Without a dictionary, a BatchTopK autoencoder of eight times the width
is fitted first, as `featviz dictionary fit` does. The photographs are surveyed, and each unit gets its score
(`featviz.evaluation.monosemanticity`) from the features of the other of the two networks. Printed are the mean over
units that fire on at least ten photographs, with a 95 % interval from 1,000 samples of units, the mean of all pairs of
photographs to compare with, the share of units that score above it, and the difference between latents and neurons
with its interval.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

import featviz as fv
from featviz.evaluation.features import features_of
from featviz.evaluation.monosemanticity import mean_cosine, monosemanticity

LAYERS = {"googlenet": "inception_4c", "deit": "blocks/6"}
MIN_PHOTOS, SAMPLES = 10, 1000


def load(name: str, data: Path) -> fv.Model:
    """One of the two networks."""
    if name == "googlenet":
        return fv.load("googlenet", weights=data / "networks" / "googlenet.safetensors")
    return fv.load("deit_tiny", weights=data / "networks" / "deit_tiny_patch16_224.safetensors")


def scored(survey: fv.Survey, layer: str, embeddings: np.ndarray) -> np.ndarray:
    """The scores of the units of a layer that fire on enough photographs."""
    maxima = survey.maxima(layer)[survey.readable]
    scores = monosemanticity(maxima, embeddings)
    return scores[((maxima > 0).sum(axis=0) >= MIN_PHOTOS) & np.isfinite(scores)]


def resampled(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The means of samples of units, with replacement."""
    return scores[rng.integers(0, len(scores), (SAMPLES, len(scores)))].mean(axis=1)


def interval(means: np.ndarray) -> str:
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{low:.4f} to {high:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=list(LAYERS))
    parser.add_argument("--dictionary", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    data = Path(os.environ["FEATVIZ_TEST_DATA"])
    photos, layer = options.photos or data / "photos", LAYERS[options.network]
    model = load(options.network, data)
    other = load("deit" if options.network == "googlenet" else "googlenet", data)
    if options.dictionary is None:
        made = fv.fit_dictionary(model, layer, photos, kind="batch_topk", k=32, steps=options.steps)
    else:
        made = fv.load_dictionary(options.dictionary)
    latents = model.with_dictionary(layer, made)
    with tempfile.TemporaryDirectory() as folder:
        survey = fv.survey(latents, photos, out=Path(folder) / "survey", layers=[layer, f"{layer}/latents"])
        embeddings = features_of(other)(survey.photo(index) for index in np.flatnonzero(survey.readable))
        by_kind = {
            "neurons": scored(survey, layer, embeddings),
            "latents": scored(survey, f"{layer}/latents", embeddings),
        }
        counts = {"neurons": survey.layer(layer).units, "latents": made.latents}
    everywhere = mean_cosine(embeddings)
    print(
        f"{model.name} {layer}, features of {other.name}; all pairs of {len(embeddings)} photographs {everywhere:.4f}"
    )
    means = {}
    for name, scores in by_kind.items():
        means[name] = resampled(scores, np.random.default_rng(0))
        print(
            f"{name}: mean {scores.mean():.4f} ({interval(means[name])}), median {np.median(scores):.4f}, "
            f"{(scores > everywhere).mean():.0%} above all pairs; {len(scores)} of {counts[name]} units"
        )
    difference = means["latents"] - resampled(by_kind["neurons"], np.random.default_rng(1))
    gap = by_kind["latents"].mean() - by_kind["neurons"].mean()
    print(f"latents less neurons: {gap:+.4f} ({interval(difference)})")


if __name__ == "__main__":
    main()
