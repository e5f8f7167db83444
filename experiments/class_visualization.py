"""Classes of ImageNet as GoogLeNet sees them, by Øygard's schedule and by the default; and what SqueezeNet says.

    python experiments/class_visualization.py --weights googlenet.safetensors --judge squeezenet_v1_1.safetensors \\
        --classes imagenet_classes.json -o OUT [--recipe oygard_2015] [--size 224] [--only 6]

Øygard's stages took their gradients at loss3, loss2 and loss1; these weights have no auxiliary heads, so it is loss3
throughout. The classes are 24 that a person can name. SqueezeNet had no part in the pictures; counted is how often the
class is among its five most likely of 1000. Two cores: 13 seconds a class by Øygard's schedule at 224 px. Expected: 22
of 24 by the default, 16 of 24 by Øygard's; docs/classes.md shows both.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import featviz as fv
from featviz.cli.common import name_classes

# Alternating animals, plants and things, so that the first few are a fair sample.
CLASSES = (
    88, 779, 387, 985, 972, 130, 949, 980, 291, 817, 323, 954, 71, 620, 251, 937, 292, 805, 340, 950, 9, 562, 144, 859,
)  # fmt: skip


def main() -> None:
    """Draws the classes, and asks the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--judge", required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--only", type=int, default=len(CLASSES))
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    model = name_classes(fv.load("googlenet", weights=given.weights), given.classes)
    judge = fv.load("squeezenet1_1", weights=given.judge)
    chosen = CLASSES[: given.only]
    recipe = fv.recipes.by_name(given.recipe)
    pictures = fv.render(model, fv.logit(chosen), recipe=recipe, size=given.size, steps=given.steps)
    judged = []
    for picture, number in zip(pictures, chosen, strict=True):
        image = jax.image.resize(jnp.asarray(picture.pixels), (*judge.input.size, 3), method="linear")
        output = np.asarray(judge.apply(judge.weights, image[None])["<output>"])[0].reshape(-1)
        judged.append(int(np.sum(output > output[number])))
        name = model.classes[number].split(",")[0]
        print(
            f"{number:4} {name:24} score {picture.score:7.2f}  rank {judged[-1] + 1} of 1000 by SqueezeNet", flush=True
        )
    print(f"{given.recipe}: {sum(rank < 5 for rank in judged)} of {len(chosen)} in SqueezeNet's top 5")
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
