"""Pictures of ImageNet classes by a recipe, classified by another network.

    python experiments/class_visualization.py googlenet -o OUT [--recipe oygard_2015] [--size 224] [--only 6]
    python experiments/class_visualization.py deit_tiny -o OUT [--recipe default]

Renders the logits of 24 classes that a person can name. Another network, which had no part in the pictures, classifies
them: SqueezeNet 1.1 for GoogLeNet, GoogLeNet for DeiT-tiny. Prints how often the class is among its top 5 of 1000.
Øygard's stages took their gradients at loss3, loss2 and loss1; these weights have no auxiliary heads, so all stages use
loss3.

Hardware: two CPU cores. Time: 13 seconds a class by Øygard's schedule at 224 px. Expected of GoogLeNet: 22 of 24 in the
top 5 with the default recipe, 16 of 24 with Øygard's. Of DeiT-tiny: 14 of 24 with `transformer`, its default recipe,
and 2 of 24 with `default`; of the first 12, 7 with `transformer` and 3 with `vit_2022`. docs/classes.md shows both
networks.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from data import network

import featviz as fv

# Network -> its file, the classifier of its pictures, and the classifier's file.
NETWORKS = {
    "googlenet": ("googlenet", "squeezenet1_1", "squeezenet_v1_1"),
    "deit_tiny": ("deit_tiny_patch16_224", "googlenet", "googlenet"),
}
# Animals, plants and objects alternate, so that the first few are a fair sample.
CLASSES = (
    88, 779, 387, 985, 972, 130, 949, 980, 291, 817, 323, 954, 71, 620, 251, 937, 292, 805, 340, 950, 9, 562, 144, 859,
)  # fmt: skip


def main() -> None:
    """Renders the classes, classifies the pictures and draws a sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--recipe", help="The network's default recipe if not options.")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only", type=int, default=len(CLASSES))
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    file, classifier_name, classifier_file = NETWORKS[options.network]
    model = fv.load(options.network, weights=network(file))
    classifier = fv.load(classifier_name, weights=network(classifier_file))
    chosen = CLASSES[: options.only]
    recipe = fv.recipes.by_name(options.recipe) if options.recipe else fv.recipes.default_recipe(model)
    pictures = fv.render(model, fv.logit(chosen), recipe=recipe, size=options.size, steps=options.steps)
    ranks = []
    for picture, label in zip(pictures, chosen, strict=True):
        image = jax.image.resize(jnp.asarray(picture.pixels), (*classifier.input.size, 3), method="linear")
        output = np.asarray(classifier.apply(classifier.weights, image[None])["<output>"])[0].reshape(-1)
        ranks.append(int(np.sum(output > output[label])))
        name = model.classes[label].split(",")[0]
        print(f"{label:4} {name:24} score {picture.score:7.2f}  rank {ranks[-1] + 1} of 1000", flush=True)
    first = sum(rank == 0 for rank in ranks)
    top = sum(rank < 5 for rank in ranks)
    print(f"{options.recipe or 'default'}: {first} of {len(chosen)} are first by {classifier_name}, {top} in the top 5")
    columns = 6
    rows = -(-len(chosen) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.9 * columns, 2.1 * rows), dpi=100, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, label, rank in zip(axes.flat, pictures, chosen, ranks, strict=False):
        axis.imshow(picture.to_uint8())
        axis.set_title(model.classes[label].split(",")[0] + (" *" if rank < 5 else ""), fontsize=8)
    figure.tight_layout(pad=0.4)
    figure.savefig(options.out, pil_kwargs={"quality": 82} if options.out.suffix != ".png" else {})


if __name__ == "__main__":
    main()
