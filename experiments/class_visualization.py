"""Classes of ImageNet as a network sees them, by one recipe or another; and what another network says.

    python experiments/class_visualization.py googlenet -o OUT [--recipe oygard_2015] [--size 224] [--only 6]
    python experiments/class_visualization.py deit_tiny -o OUT [--recipe default]

The classes are 24 that a person can name. The judge had no part in the pictures: SqueezeNet 1.1 for GoogLeNet,
GoogLeNet for DeiT-tiny; counted is how often the class is among its five most likely of 1000. Two cores: 13 seconds a
class by Øygard's schedule at 224 px. Øygard's stages took their gradients at loss3, loss2 and loss1; these weights have
no auxiliary heads, so it is loss3 throughout.

Expected of GoogLeNet: 22 of 24 by the default, 16 of 24 by Øygard's. Of DeiT-tiny: 14 of 24 by `transformer`, which
is its own, 2 of 24 by the default, 3 of the first 12 by `vit_2022`, 7 of these by `transformer`. docs/classes.md shows
both networks.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from data import network

import featviz as fv

# Network -> its file, the network that judges, and that one's file.
NETWORKS = {
    "googlenet": ("googlenet", "squeezenet1_1", "squeezenet_v1_1"),
    "deit_tiny": ("deit_tiny_patch16_224", "googlenet", "googlenet"),
}
# Alternating animals, plants and things, so that the first few are a fair sample.
CLASSES = (
    88, 779, 387, 985, 972, 130, 949, 980, 291, 817, 323, 954, 71, 620, 251, 937, 292, 805, 340, 950, 9, 562, 144, 859,
)  # fmt: skip


def main() -> None:
    """Draws the classes, and asks the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--recipe", help="By default the network's own.")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only", type=int, default=len(CLASSES))
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    file, judging, judging_file = NETWORKS[given.network]
    model = fv.load(given.network, weights=network(file))
    judge = fv.load(judging, weights=network(judging_file))
    chosen = CLASSES[: given.only]
    recipe = fv.recipes.by_name(given.recipe) if given.recipe else fv.recipes.default_recipe(model)
    pictures = fv.render(model, fv.logit(chosen), recipe=recipe, size=given.size, steps=given.steps)
    judged = []
    for picture, number in zip(pictures, chosen, strict=True):
        image = jax.image.resize(jnp.asarray(picture.pixels), (*judge.input.size, 3), method="linear")
        output = np.asarray(judge.apply(judge.weights, image[None])["<output>"])[0].reshape(-1)
        judged.append(int(np.sum(output > output[number])))
        name = model.classes[number].split(",")[0]
        print(
            f"{number:4} {name:24} score {picture.score:7.2f}  rank {judged[-1] + 1} of 1000 by {judging}", flush=True
        )
    first = sum(rank == 0 for rank in judged)
    top = sum(rank < 5 for rank in judged)
    print(f"{given.recipe or 'its own'}: {first} of {len(chosen)} first for {judging}, {top} in its top 5")
    columns = 6
    rows = -(-len(chosen) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.9 * columns, 2.1 * rows), dpi=100, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, number, rank in zip(axes.flat, pictures, chosen, judged, strict=False):
        axis.imshow(picture.to_uint8())
        axis.set_title(model.classes[number].split(",")[0] + (" *" if rank < 5 else ""), fontsize=8)
    figure.tight_layout(pad=0.4)
    figure.savefig(given.out, pil_kwargs={"quality": 82} if given.out.suffix != ".png" else {})


if __name__ == "__main__":
    main()
