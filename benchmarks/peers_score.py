"""Scores of pictures by an independent network, for featviz and the other systems alike.

    PEERS/bin/python benchmarks/peers_score.py --weights googlenet.safetensors --layer inception_4c FOLDER...

A score is the unit's mean activation over all positions in one forward pass of PyTorch over the PNG (8 bits, no
transforms). Files are named LAYER-UNIT.png. Prints JSON: folder -> unit -> `original`, the score at the size of the
picture, and `upsampled`, the score after lucent's upsampling to 224 px (bilinear, align_corners).
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
    inputs = {"original": image, "upsampled": large}
    return {name: network(preprocess(pixels))[:, unit].mean().item() for name, pixels in inputs.items()}


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
