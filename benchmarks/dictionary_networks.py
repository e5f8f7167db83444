"""What the measurements of a dictionary's latents share: two networks, a dictionary of each, and a survey."""

import argparse
import os
from pathlib import Path

import numpy as np

import featviz as fv

LAYERS = {"googlenet": "inception_4c", "deit": "blocks/6"}
# Whose features say which photographs are alike.
OTHERS = {"googlenet": "deit", "deit": "googlenet"}
DATA = Path(os.environ.get("FEATVIZ_TEST_DATA", "."))


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a measurement is told: the network, its dictionary, the photographs and where the survey is kept."""
    parser.add_argument("network", choices=list(LAYERS))
    parser.add_argument("--dictionary", type=Path)
    parser.add_argument("--steps", type=int, default=2000, help="of the dictionary's training")
    parser.add_argument("--photos", type=Path, default=DATA / "photos")
    parser.add_argument(
        "--survey", type=Path, help="where the survey is or will be; by default in a folder of this call"
    )


def load(name: str) -> fv.Model:
    """One of the two networks."""
    if name == "googlenet":
        return fv.load("googlenet", weights=DATA / "networks" / "googlenet.safetensors")
    return fv.load("deit_tiny", weights=DATA / "networks" / "deit_tiny_patch16_224.safetensors")


def with_latents(options: argparse.Namespace) -> fv.Model:
    """The network with its layer's latents, of the dictionary that the options name, else of one that is fitted."""
    model, layer = load(options.network), LAYERS[options.network]
    if options.dictionary is None:
        made = fv.fit_dictionary(model, layer, options.photos, kind="batch_topk", k=32, steps=options.steps)
    else:
        made = fv.load_dictionary(options.dictionary)
    return model.with_dictionary(layer, made)


def survey_both(model: fv.Model, options: argparse.Namespace, folder: str) -> fv.Survey:
    """The survey of the layer's neurons and latents; one that is finished is read."""
    layer = LAYERS[options.network]
    out = options.survey or Path(folder) / "survey"
    return fv.survey(model, options.photos, out=out, layers=[layer, f"{layer}/latents"])


def firing_units(survey: fv.Survey, layer: str, photos: int) -> np.ndarray:
    """The units of a layer that fire on as many photographs or more."""
    return np.flatnonzero((survey.maxima(layer)[survey.readable] > 0).sum(axis=0) >= photos)
