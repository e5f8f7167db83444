"""The figures of DeepDream's notebook of 2015, on photographs of one's own.

    python experiments/deepdream.py --weights googlenet.safetensors --photos FOLDER -o OUT

FOLDER holds `sky1024px.jpg` and `flowers.jpg`, the photographs of the notebook. Two cores, 2 minutes. Expected: out of
the sky, at inception_4c, animals and buildings; at inception_3b strokes and eyes' beginnings, at conv2 edges; with
flowers as guide, at 3b, the sky in their textures; a zoom of some frames. The notebook's layer is inception_4c/output
of BVLC GoogLeNet, the network of these weights.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import featviz as fv


def read(path: Path, side: int | None) -> np.ndarray:
    """A photograph in [0,1], at most `side` pixels wide."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)


def write(picture: fv.Picture, path: Path) -> None:
    """A JPEG, small enough for a page."""
    values = np.round(np.clip(picture.pixels, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(values).save(path, quality=82, optimize=True)
    print(f"{path}  score {picture.score:.4g}", flush=True)


def main() -> None:
    """Draws all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--frames", type=int, default=12)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    model = fv.load("googlenet", weights=given.weights)
    sky = read(given.photos / "sky1024px.jpg", given.side)
    for name in ("inception_4c", "inception_3b", "conv2"):
        write(fv.dream(model, sky, fv.deepdream(name)), given.out / f"sky-{name}.jpg")
    guide = fv.observe(model, read(given.photos / "flowers.jpg", 224), "inception_3b")
    write(fv.dream(model, sky, fv.guided_dream("inception_3b", guide)), given.out / "sky-guided-by-flowers.jpg")
    write(fv.dream(model, sky, fv.deepdream("inception_4c"), laplacian=4), given.out / "sky-inception_4c-laplacian.jpg")
    small = read(given.photos / "sky1024px.jpg", 320)
    film = fv.dream_film(model, small, fv.deepdream("inception_4c"), frames=given.frames, octaves=2)
    print(fv.save_film(film, given.out / "zoom.webp", rate=6))


if __name__ == "__main__":
    main()
