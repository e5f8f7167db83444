"""Does suppressing a latent change what its page says? Stated on half of its photographs, verified on the rest.

    python benchmarks/latent_effects.py googlenet|deit [--dictionary SAE] [--steps 2000] [--latents 48]
        [--survey FOLDER]

FEATVIZ_TEST_DATA has `networks/` and `photos/`. Without a dictionary, a BatchTopK autoencoder of eight times the width
is fitted first. Of the latents that fire on at least sixteen photographs some are drawn; each is suppressed, and held
at its largest activation, on its sixteen strongest photographs, as an atlas's pages do it. Of the five outputs that
change most on eight of them, and their mean change there, is printed: the share that change in the same direction on
the other eight (half of them would by chance), the median over latents of the change there relative to the stated one,
the correlation of all outputs' changes between both halves, and how often the first class becomes another.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence

import numpy as np
from dictionary_networks import LAYERS, add_options, firing_units, survey_both, with_latents

from featviz.atlas.held_units import HELD
from featviz.atlas.unit_profiles import layer_profile
from featviz.pages.profile_records import HeldUnitRecord


def summary(records: Sequence[HeldUnitRecord]) -> str:
    """What holds on held-out photographs of what was stated, over latents."""
    outputs = [output for record in records for output in record.outputs if output.change]
    same = np.mean([np.sign(output.change) == np.sign(output.held_out_change) for output in outputs])
    first = [record.outputs[0] for record in records if record.outputs and record.outputs[0].change]
    kept = np.median([output.held_out_change / output.change for output in first])
    agreement = [record.agreement for record in records if record.agreement is not None]
    low, middle, high = np.quantile(agreement, [0.1, 0.5, 0.9])
    return (
        f"{same:.0%} of {len(outputs)} stated outputs change in the same direction, the first by {kept:.2f} of what "
        f"was stated; correlation {middle:.2f} ({low:.2f} to {high:.2f}); first class changes on "
        f"{np.mean([record.flips for record in records]):.1%}, held out "
        f"{np.mean([record.held_out_flips for record in records]):.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--latents", type=int, default=48)
    options = parser.parse_args()
    model, layer = with_latents(options), f"{LAYERS[options.network]}/latents"
    with tempfile.TemporaryDirectory() as folder:
        survey = survey_both(model, options, folder)
        candidates = firing_units(survey, layer, HELD)
        drawn = np.random.default_rng(0).permutation(candidates)[: options.latents]
        units, started = sorted(drawn.tolist()), time.process_time()
        profile = layer_profile(survey, layer, units, effects=True)
        spent = time.process_time() - started
        records = [profile.held[unit] for unit in profile.units]
    print(f"{model.name} {layer}: {len(records)} of {len(candidates)} latents that fire on {HELD} photographs or more")
    print(f"{spent:.0f} s of processor time, with the other statistics of their pages")
    for index, title in enumerate(("suppressed", "held at its largest")):
        print(f"{title}: {summary([each[index] for each in records])}")


if __name__ == "__main__":
    main()
