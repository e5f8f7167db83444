"""What should a picture of a latent maximize? E1 of the same latents' pictures under several objectives.

    python benchmarks/latent_objectives.py googlenet|deit --dictionary SAE [--latents 16] [--render-steps 64]
        [--size 128] [--survey FOLDER]

FEATVIZ_TEST_DATA has `networks/` and `photos/`. Latents are drawn at random of those that fire on at least sixteen
photographs of each half of the survey. Each is drawn by its pre-activation, by its row of the decoder, without the
angle and with the cosine squared, and as featviz does by itself: along the row, times the cosine. Printed are means
with 95 % intervals over latents: E1 with the features of the other network, E0 in standard deviations of the latent on
photographs, E1 for other units' photographs, and E1 of the nine strongest photographs. Expected:
docs/dictionaries.md. Two minutes of one core after the survey.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from dictionary_networks import LAYERS, OTHERS, add_options, load, survey_both, with_latents
from latent_pictures import draw_units, mean_text

import featviz as fv
from featviz.evaluation.evaluate import evaluate_pictures
from featviz.evaluation.features import features_of
from featviz.evaluation.reference_statistics import features_of_photos, reference_statistics
from featviz.model import before_relu
from featviz.model.latent_layers import dictionary_of

FIGURES = ("prediction", "activation_z", "other_units_prediction", "photo_prediction")


def objectives(model: fv.Model, layer: str) -> dict[str, Callable[[int], fv.Objective]]:
    """By name, the objective of a latent."""
    dictionary = dictionary_of(model, f"{layer}/latents")
    assert isinstance(dictionary, fv.Dictionary)
    rows = np.asarray(dictionary.directions)
    return {
        "pre-activation": lambda unit: fv.channel(before_relu(f"{layer}/latents"), unit),
        "row of the decoder": lambda unit: fv.direction(layer, rows[unit]),
        "row, cosine squared": lambda unit: fv.direction(layer, rows[unit], power=2.0),
        "featviz's own": lambda unit: fv.channel(f"{layer}/latents", unit),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--latents", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--render-steps", type=int, default=64)
    options = parser.parse_args()
    model, layer = with_latents(options), LAYERS[options.network]
    latents = f"{layer}/latents"
    with tempfile.TemporaryDirectory() as folder:
        survey = survey_both(model, options, folder)
        units = draw_units(survey, latents, options.latents)
        features = replace(features_of(load(OTHERS[options.network])), rgb=model.input.rgb)
        references = reference_statistics(survey, latents, units, features, features_of_photos(survey, features))
    print(f"{options.network} {latents}, {len(units)} latents\n| | {' | '.join(FIGURES)} |\n|---|---|---|---|---|")
    for name, objective in objectives(model, layer).items():
        chosen = [objective(unit) for unit in units]
        pictures = fv.render(model, chosen, size=options.size, steps=options.render_steps, progress=False)
        drawn = {unit: [picture.to_uint8()] for unit, picture in zip(units, pictures, strict=True)}
        rows = evaluate_pictures(model, references, drawn, features).values()
        means = [mean_text(np.array([row.figures[figure] for row in rows], float)) for figure in FIGURES]
        print(f"| {name} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
