"""One PyTorch process of `peers.py`: lucent or horama renders units of a network; one line of JSON has the times.

Runs in the peers' environment, without featviz. The systems:

- `lucent`: one `render_vis` per unit, one after the other, as in its README; `lucent-batch`: all units in one batch.
  Both run the whole network, since lucent only hooks the layer. With the suffix `-cut` the network ends at the layer,
  which lucent does not do by itself.
- `horama-fourier`, `horama-maco`: one call per unit, the only way in horama, with a network that ends at the layer.

Seconds: `import_s`, `load_s` (the network), `first_s` (from the call until the second step's forward pass is done),
`loop_s` (from there until the last picture of all units), `step_ms` (of `loop_s`, per step of one picture),
`step_cpu_ms` (the same of processors).
"""

import argparse
import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Number of steps -> pictures, one per unit.
Pictures = dict[int, list[Any]]
Objective = Callable[[Any], Any]


class Clock:
    """Records the times at which an objective is computed, once per step."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.processor: list[float] = []

    def watch(self, objective: Objective) -> Objective:
        def watched(activations: Any) -> Any:
            value = objective(activations)
            self.times.append(time.perf_counter())
            self.processor.append(time.process_time())
            return value

        return watched


def run_lucent(network: Any, options: argparse.Namespace, clock: Clock) -> Pictures:
    """lucent's defaults: Fourier image, standard transforms, Adam, upsampled to 224 px if smaller.

    Its preprocessing is torchvision's; with `preprocess=False`, the network's takes its place after the transforms and
    before the upsampling. A layer of tokens has its units last, where `objectives.channel` would take a token.
    """
    from lucent.optvis import objectives, param, render, transform
    from torch_networks import NETWORKS

    preprocess = NETWORKS[options.network].preprocess
    checkpoints = [*options.checkpoints, options.steps]

    def visualize(objective: Objective, count: int) -> list[Any]:
        return render.render_vis(
            network,
            clock.watch(objective),
            lambda: param.image(options.size or 128, batch=count),
            transforms=[*transform.standard_transforms, preprocess],
            preprocess=False,
            thresholds=checkpoints,
            progress=False,
            show_image=False,
        )

    def channel(unit: int, lane: int | None = None) -> Objective:
        of_maps = objectives.channel(options.layer, unit, batch=lane)

        def value(activations: Any) -> Any:
            found = activations(options.layer)
            if found.ndim != 3:
                return of_maps(activations)
            return -(found if lane is None else found[lane])[..., unit].mean()

        return objectives.Objective(value)

    if "batch" in options.system:
        lanes = [channel(unit, lane) for lane, unit in enumerate(options.units)]
        return dict(zip(checkpoints, visualize(objectives.Objective.sum(lanes), len(lanes)), strict=True))
    images = [visualize(channel(unit), 1) for unit in options.units]
    return {steps: [stages[k][0] for stages in images] for k, steps in enumerate(checkpoints)}


def run_horama(network: Any, options: argparse.Namespace, clock: Clock) -> Pictures:
    """horama's defaults, or, with a size, two crops per step that show the whole picture.

    A single crop fails, since `optimization_step` squeezes the axis of the crops. `--crops` sets another number of
    crops, of 224 px. horama optimizes values in (-2.5, 2.5), which the objective maps to [0,1] for the network.
    """
    import horama
    import torch
    from torch_networks import NETWORKS

    preprocess = NETWORKS[options.network].preprocess
    render = horama.maco if options.system == "horama-maco" else horama.fourier
    chosen = {"image_size": options.size, "crops_per_iteration": 2, "box_size": (1.0, 1.0)} if options.size else {}
    if options.size and options.crops:
        # The boxes have this share of the picture's side, or up to a twentieth more (`optimization_step`).
        share = 224 / options.size
        chosen |= {"crops_per_iteration": options.crops, "box_size": (share, share)}
    pictures = []
    for unit in options.units:

        def activation(images: Any, unit: int = unit) -> Any:
            return network(preprocess(images / 5 + 0.5))[:, unit].mean()

        image, _ = render(clock.watch(activation), total_steps=options.steps, device="cpu", **chosen)
        pictures.append((image.detach() / 5 + 0.5).permute(1, 2, 0).to(torch.float32).numpy())
    return {options.steps: pictures}


def save(pixels: Any, path: Path) -> None:
    import numpy as np
    from PIL import Image

    Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8)).save(path)


def main() -> None:
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", help="lucent, lucent-batch, the same with -cut, horama-fourier or horama-maco")
    parser.add_argument("--network", default="googlenet", help="A name of `torch_networks.py`.")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--spectrum", type=Path, help="MACO's mean spectrum, which horama would download.")
    parser.add_argument("--layer", default="inception_4c")
    parser.add_argument("--units", type=lambda text: [int(unit) for unit in text.split(",")], required=True)
    parser.add_argument("--steps", type=int, required=True, help="At least 2.")
    parser.add_argument(
        "--checkpoints",
        type=lambda text: [int(steps) for steps in text.split(",")],
        default=[],
        help="lucent: also save pictures after these steps.",
    )
    parser.add_argument("--crops", type=int, help="horama: crops of 224 px per step.")
    parser.add_argument("--size", type=int, help="Size in pixels; by default the system's.")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--out", type=Path, required=True, help="An existing folder, also the working folder.")
    options = parser.parse_args()
    if importlib.util.find_spec("torchvision") is None:
        sys.path.append(str(Path(__file__).resolve().parent / "shim"))
    import numpy as np
    import torch

    if options.system.startswith("lucent"):
        import lucent.optvis.render  # noqa: F401
    else:
        import horama  # noqa: F401
    from torch_networks import NETWORKS

    imported = time.perf_counter()
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    if options.system == "horama-maco" and options.spectrum:
        shutil.copyfile(options.spectrum, "spectrum_decorrelated.npy")
    cut = options.layer if "cut" in options.system or "horama" in options.system else None
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    network = NETWORKS[options.network].load(options.weights, until=cut, memory_format=layout)
    loaded, clock = time.perf_counter(), Clock()
    run = run_lucent if options.system.startswith("lucent") else run_horama
    pictures = run(network, options, clock)
    done, spent = time.perf_counter(), time.process_time()
    for steps, images in pictures.items():
        folder = options.out / str(steps) if options.checkpoints else options.out
        folder.mkdir(exist_ok=True)
        for unit, pixels in zip(options.units, images, strict=True):
            save(pixels, folder / f"{options.layer}-{unit}.png")
    count = len(options.units)
    second, lanes = clock.times[1], count if "batch" in options.system else 1
    measured = options.steps * count - lanes  # of one picture each
    distribution = "torch-lucent" if options.system.startswith("lucent") else "horama"
    report = {
        "import_s": imported - started,
        "load_s": loaded - imported,
        "first_s": second - loaded,
        "loop_s": done - second,
        "step_ms": 1e3 * (done - second) / measured,
        "step_cpu_ms": 1e3 * (spent - clock.processor[1]) / measured,
        "versions": {distribution: version(distribution), "torch": torch.__version__, "kornia": version("kornia")},
        "size": pictures[options.steps][0].shape[0],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
