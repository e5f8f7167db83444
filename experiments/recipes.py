"""One unit rendered by every recipe, in one sheet.

    python experiments/recipes.py --weights googlenet.safetensors --start flowers.jpg --cache FOLDER -o sheet.png

Without --weights, a unit of the built-in network. Each picture has the recipe's size, or --size, and all are shown at
one size. `accentuation_2024` starts from the center of the photograph of --start, or from noise. `vital_2025`, whose
pictures match photographs, is in docs/natural.md.

Expected: noise and gray for the oldest recipes, colors once they are decorrelated, and whole objects once transforms
suppress high frequencies.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt

import featviz as fv
from featviz.cli.options.photo_options import read_start
from featviz.cli.targets import parse_target


def main() -> None:
    """Renders every recipe and draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--target")
    parser.add_argument("--size", type=int, help="of all pictures; by default each recipe's size")
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--cache", type=Path, required=True, help="folder of finished pictures, not rendered again")
    parser.add_argument("--start", type=Path, help="photograph for the recipes that start from one")
    parser.add_argument("--names", nargs="*", default=[name for name in fv.recipes.RECIPES if name != "vital_2025"])
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    model = fv.load("googlenet", weights=args.weights) if args.weights else fv.load("patterns")
    (objective,) = parse_target(args.target or ("inception_4c:103" if args.weights else "mixed4a:3"), model)
    args.cache.mkdir(parents=True, exist_ok=True)
    pictures = {}
    for name, recipe in fv.recipes.RECIPES.items():
        path = args.cache / f"{name}.png"
        if name not in args.names:
            continue
        if not path.exists():
            started = time.perf_counter()
            steps = min(recipe.steps, args.max_steps or recipe.steps)
            size, start = args.size or recipe.size or model.input.size, None
            if args.start is not None and recipe.fidelity is not None:
                start = read_start(args.start, model, size)
            options = {"size": size, "steps": steps, "start": start}
            picture = fv.render(model, objective, recipe=recipe, progress=False, **options)
            picture.save(path)
            print(f"{name:30} {time.perf_counter() - started:6.1f} s  score {picture.score:9.3f}", flush=True)
        pictures[name] = fv.load_picture(path)
    columns = 6
    rows = -(-len(pictures) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.7 * columns, 1.95 * rows), dpi=100, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (name, picture) in zip(axes.flat, pictures.items(), strict=False):
        # With the alpha channel if the recipe has one.
        axis.imshow(picture.to_uint8())
        axis.set_title(name, fontsize=7.5)
    figure.tight_layout(pad=0.4)
    figure.savefig(args.out)


if __name__ == "__main__":
    main()
