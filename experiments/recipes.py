"""One unit under every recipe, in one sheet.

    python experiments/recipes.py --weights googlenet.safetensors --start flowers.jpg --keep FOLDER -o sheet.png

Without --weights it is a unit of the built-in network. Each picture is drawn at the recipe's own size, or at that of
--size, and shown at one. `accentuation_2024` begins at the middle of the photograph of --start, or at noise. The looks
that are expected: noise and gray for the oldest, colors once they are decorrelated, whole things once
transforms hold the high frequencies down.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt

import featviz as fv
from featviz.cli.commands.render import read_start
from featviz.cli.targets import parse_target


def main() -> None:
    """Draws the sheet, one recipe after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--target")
    parser.add_argument("--size", type=int, help="of all pictures; the recipes' own by default")
    parser.add_argument("--most", type=int, help="steps at most")
    parser.add_argument(
        "--keep", type=Path, required=True, help="a folder of finished pictures, which are not drawn again"
    )
    parser.add_argument("--start", type=Path, help="a photograph for the recipes that change one")
    parser.add_argument("--names", nargs="*", default=list(fv.recipes.RECIPES))
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    model = fv.load("googlenet", weights=given.weights) if given.weights else fv.load("patterns")
    (objective,) = parse_target(given.target or ("inception_4c:103" if given.weights else "mixed4a:3"), model)
    given.keep.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for name, recipe in fv.recipes.RECIPES.items():
        path = given.keep / f"{name}.png"
        if name not in given.names:
            continue
        if not path.exists():
            began = time.perf_counter()
            steps = min(recipe.steps, given.most or recipe.steps)
            size, start = given.size or recipe.size or model.input.size, None
            if given.start is not None and recipe.fidelity is not None:
                start = read_start(given.start, model, size)
            options = {"size": size, "steps": steps, "start": start}
            picture = fv.render(model, objective, recipe=recipe, progress=False, **options)
            picture.save(path)
            print(f"{name:30} {time.perf_counter() - began:6.1f} s  score {picture.score:9.3f}", flush=True)
        drawn[name] = fv.load_picture(path)
    columns = 6
    rows = -(-len(drawn) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.7 * columns, 1.95 * rows), dpi=100, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, picture) in zip(axes.flat, drawn.items(), strict=False):
        # With its alpha, where the recipe has one.
        axis.imshow(picture.to_uint8())
        axis.set_title(name, fontsize=7.5)
    figure.tight_layout(pad=0.4)
    figure.savefig(given.out)


if __name__ == "__main__":
    main()
