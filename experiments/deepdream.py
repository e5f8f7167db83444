"""The figures of the DeepDream notebook of 2015.

    python experiments/deepdream.py --weights googlenet.safetensors --photos FOLDER -o OUT

FOLDER holds `sky1024px.jpg` and `flowers.jpg`, the photographs of the notebook. The notebook's layer is
inception_4c/output of BVLC GoogLeNet, the network of these weights.

Hardware: two CPU cores. Time: 2 minutes. Expected in the sky: animals and buildings at inception_4c, strokes and parts
of eyes at inception_3b, edges at conv2, the textures of the flowers with these as guide at inception_3b; and a zoom
film.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import featviz as fv


def read(path: Path, max_size: int) -> np.ndarray:
    """A photograph in [0,1], at most `max_size` pixels high and wide."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)


def write(picture: fv.Picture, path: Path) -> None:
    """Writes a JPEG."""
    values = np.round(np.clip(picture.pixels, 0, 1) * 255).astype(np.uint8)
    Image.fromarray(values).save(path, quality=82, optimize=True)
    print(f"{path}  score {picture.score:.4g}", flush=True)


def main() -> None:
    """Draws all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=1024, help="of the longer side, in pixels")
    parser.add_argument("--frames", type=int, default=12)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = fv.load("googlenet", weights=args.weights)
    sky = read(args.photos / "sky1024px.jpg", args.size)
    for name in ("inception_4c", "inception_3b", "conv2"):
        write(fv.dream(model, sky, fv.deepdream(name)), args.out / f"sky-{name}.jpg")
    guide = fv.observe(model, read(args.photos / "flowers.jpg", 224), "inception_3b")
    write(fv.dream(model, sky, fv.guided_dream("inception_3b", guide)), args.out / "sky-guided-by-flowers.jpg")
    write(fv.dream(model, sky, fv.deepdream("inception_4c"), laplacian=4), args.out / "sky-inception_4c-laplacian.jpg")
    small = read(args.photos / "sky1024px.jpg", 320)
    film = fv.dream_film(model, small, fv.deepdream("inception_4c"), frames=args.frames, octaves=2)
    print(fv.save_film(film, args.out / "zoom.webp", rate=6))


if __name__ == "__main__":
    main()
