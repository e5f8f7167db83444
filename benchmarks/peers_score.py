"""Scores of pictures by one independent network: how much a unit is excited, for featviz's and others' alike.

    PEERS/bin/python benchmarks/peers_score.py --weights googlenet.safetensors --layer inception_4c FOLDER...

A score is the unit's mean activation over all positions, in one forward pass of PyTorch, for the PNG as it is (8 bits,
no transforms). Files are called LAYER-UNIT.png. Prints JSON: folder -> unit -> `own`, the score at the picture's own
size, and `at224`, that of the picture upsampled to 224 px as lucent feeds its own (bilinear, align_corners).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torch_googlenet import load, preprocess


@torch.no_grad()
def score(network: torch.nn.Module, path: Path, unit: int) -> dict[str, float]:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32) / 255
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    large = interpolate(image, size=224, mode="bilinear", align_corners=True)
    views = {"own": image, "at224": large}
    return {name: network(preprocess(view))[:, unit].mean().item() for name, view in views.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    network = load(options.weights, until=options.layer)
    scores = {
        str(folder): {
            unit: score(network, folder / f"{options.layer}-{unit}.png", unit)
            for unit in sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{options.layer}-*.png"))
        }
        for folder in options.folders
    }
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
