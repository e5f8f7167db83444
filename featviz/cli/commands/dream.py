"""`featviz dream MODEL PHOTO -o OUT`: a photo, a film or a video in which the network shows what it sees."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.session import (
    Stopped,
    classes_option,
    keep_compiled,
    name_classes,
    stoppable,
    weights_option,
    wrong_command,
)
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np

    from featviz.model import Model
    from featviz.objectives import Objective


@click.command()
@click.argument("model")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A picture's file, or a film's.")
@layers_option("Layers as a whole, by name or pattern, as inception_4*.")
@click.option("--target", "targets", multiple=True, help="Units as `featviz render` takes them; may be repeated.")
@click.option("--guide", type=click.Path(path_type=Path), help="A photo whose features the layers are led to.")
@weights_option
@input_option
@classes_option
@click.option("--octaves", default="auto", show_default=True, help="How many sizes, or auto.")
@click.option("--octave-scale", type=float, default=1.4, show_default=True, help="From one size to the next.")
@click.option("--steps", type=int, default=10, show_default=True, help="Steps in each octave.")
@click.option("--step-size", type=float, default=1.5, show_default=True, help="Mean change of a step, of 255.")
@click.option("--jitter", type=int, default=32, show_default=True, help="Largest random shift in pixels.")
@click.option("--laplacian", type=int, default=0, show_default=True, help="Bands of the gradient made equal.")
@click.option("--mask", type=click.Path(path_type=Path), help="An image: what is black in it stays as it is.")
@click.option("--size", type=int, metavar="PX", help="The photo's longer side.  [default: as it is]")
@click.option("--tile", default="auto", show_default=True, metavar="PX", help="Side of tiles, 0 for none, or auto.")
@click.option("--zoom", type=int, metavar="FRAMES", help="A film of so many frames that goes into the photo.")
@click.option("--zoom-by", type=float, default=0.05, show_default=True, help="Share of each frame that is lost.")
@click.option("--rotate", type=float, default=0.0, show_default=True, help="Degrees from frame to frame.")
@click.option("--keep", type=float, default=0.3, show_default=True, help="How much a video's dream goes on.")
@click.option("--rate", type=float, help="Frames a second.  [default: 12, or the video's]")
@click.option("--preview", type=click.Path(path_type=Path), metavar="PNG", help="Shows how far it is, every 5 seconds.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress and no name of what was written.")
def dream(
    model: str,
    photo: Path,
    out: Path,
    layers: tuple[str, ...],
    targets: tuple[str, ...],
    guide: Path | None,
    weights: Path | None,
    input_words: str | None,
    classes: Path | None,
    octaves: str,
    octave_scale: float,
    steps: int,
    step_size: float,
    jitter: int,
    laplacian: int,
    mask: Path | None,
    size: int | None,
    tile: str,
    zoom: int | None,
    zoom_by: float,
    rotate: float,
    keep: float,
    rate: float | None,
    preview: Path | None,
    seed: int,
    quiet: bool,
) -> None:
    """DeepDream: PHOTO changed so that layers or units of MODEL rise.

    PHOTO is an image; or a folder of frames or a video, whose frames are dreamed one after another. A dream that is
    stopped goes on when the same command is given again.
    """
    keep_compiled()
    with wrong_command():
        count, side = whole_or_auto("--octaves", octaves), whole_or_auto("--tile", tile)
        moving = photo.is_dir() or is_video(photo)
        if moving and zoom is not None:
            raise FeatvizError("--zoom goes with a photo; PHOTO is a folder of frames or a video")
        if moving and size is not None:
            raise FeatvizError("--size goes with a photo; PHOTO is a folder of frames or a video")
        if preview is not None and (moving or zoom is not None):
            raise FeatvizError("--preview goes with a single dream; this is a film")
        if rotate and zoom is None:
            raise FeatvizError("--rotate turns the frames of a zoom; expected --zoom FRAMES as well")
        if not 0 < step_size <= 255:
            raise FeatvizError(f"--step-size is {step_size:g}; expected the mean change of a step, of 255, such as 1.5")
        if size is not None:
            from featviz.rendering.checks import LARGEST_SIZE, SMALLEST_SIZE, check_count

            check_count("--size", size, SMALLEST_SIZE, LARGEST_SIZE)
        check_out(out, film=moving or zoom is not None)
    network = find_model(model, weights, input_words=input_words)
    with wrong_command():
        network = network if classes is None else name_classes(network, classes)
        objective = choose_objective(network, layers, targets, guide)
        options: dict[str, Any] = {
            "octaves": count,
            "octave_scale": octave_scale,
            "steps": steps,
            "step_size": step_size / 255,
            "jitter": jitter,
            "laplacian": laplacian,
            "tile": side,
        }
        image = None if moving else read_photo(photo, network, size)
        if mask is not None and image is not None:
            options["mask"] = read_mask(mask, image)
    if image is not None and zoom is None:
        written = still(network, image, objective, out, options, preview=preview, seed=seed, quiet=quiet)
    else:
        from featviz.dreaming.film import dream_film, dream_frames
        from featviz.dreaming.video import read_frames

        state = out.with_name(f".{out.name}.frames")
        shared: dict[str, Any] = {"seed": seed, "state": state, "progress": not quiet, **options}
        if image is not None:
            assert zoom is not None
            film = dream_film(network, image, objective, frames=zoom, zoom=zoom_by, rotate=rotate, **shared)
        else:
            with wrong_command():
                frames, own = read_frames(photo, channels=network.input.channels)
                rate = rate or own
                # A mask is stretched over the frames, whose size the first one tells.
                first = next(frames, None) if mask is not None else None
                if mask is not None and first is not None:
                    frames, shared["mask"] = itertools.chain([first], frames), read_mask(mask, first)
            film = dream_frames(network, frames, objective, keep=keep, **shared)
        written = moving_picture(film, out, state, rate=rate or 12.0)
    if not quiet:
        click.echo(str(written))


def still(
    network: "Model",
    image: "np.ndarray",
    objective: "Objective",
    out: Path,
    options: dict[str, Any],
    *,
    preview: Path | None,
    seed: int,
    quiet: bool,
) -> Path:
    """One dream; stopped, it leaves a state beside OUT from which the same command goes on."""
    from featviz.dreaming.dream import dream as run

    state = out.with_name(f".{out.name}.state.npz")
    try:
        with stoppable():
            picture = run(
                network, image, objective, preview=preview, state=state, seed=seed, progress=not quiet, **options
            )
    except KeyboardInterrupt:
        raise Stopped("stopped; the same command goes on from here") from None
    return picture.save(out)


def moving_picture(film: Any, out: Path, state: Path, *, rate: float) -> Path:
    """A film; stopped, it leaves the frames that are finished beside OUT, from which the same command goes on."""
    import shutil

    from featviz.dreaming.video import save_film

    try:
        with stoppable():
            written = save_film(film, out, rate=rate)
    except KeyboardInterrupt:
        raise Stopped("stopped; the same command goes on from the last finished frame") from None
    shutil.rmtree(state, ignore_errors=True)
    return written


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    from featviz.dreaming.video import VIDEOS

    return path.suffix.lower() in VIDEOS


def whole_or_auto(name: str, text: str) -> int | None:
    """A number, or None for `auto`."""
    if text == "auto":
        return None
    if not text.isdecimal():
        raise FeatvizError(f"{name} is `{text}`; expected a whole number or auto")
    return int(text)


def check_out(out: Path, *, film: bool) -> None:
    """Refuses a file that cannot be written, or not as this type, before the work starts."""
    from featviz.common.files import check_writable, known_suffix
    from featviz.dreaming.video import FILMS, require_av
    from featviz.pictures.picture import SUFFIXES, check_picture_path

    if not film:
        if out.suffix.lower() in FILMS and out.suffix.lower() not in SUFFIXES:
            raise FeatvizError(f"-o is the film `{out.name}`; expected --zoom FRAMES as well, or a .png")
        check_picture_path(out)
        return
    if known_suffix(out, FILMS) == ".mp4":
        require_av()
    check_writable(out)


def choose_objective(
    network: "Model", layers: tuple[str, ...], targets: tuple[str, ...], guide: Path | None
) -> "Objective":
    """The sum of the layers, each as a whole or led by the guide, and of the targets."""
    from featviz.objectives import deepdream, guided_dream
    from featviz.rendering.observe import observe

    if guide is not None and not layers:
        raise FeatvizError("--guide needs --layers whose features it gives")
    terms = []
    image = None if guide is None else read_photo(guide, network, None)
    for name in find_layers(network, layers) or ():
        terms.append(deepdream(name) if image is None else guided_dream(name, observe(network, image, name)))
    terms += [objective for text in targets for objective in parse_target(text, network)]
    if not terms:
        known = network.layers[len(network.layers) // 2].name
        raise FeatvizError(f"nothing to dream of; expected --layers, such as {known}, or --target")
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def read_photo(path: Path, network: "Model", size: int | None) -> "np.ndarray":
    """A photo as float32 in [0,1], (height, width, channels), its longer side `size`."""
    from PIL import Image

    from featviz.common.photograph import read_photograph, to_floats

    image = read_photograph(path, network.input.channels)
    if size is not None:
        factor = size / max(image.size)
        width, height = (max(1, round(side * factor)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return to_floats(image)


def read_mask(path: Path, photo: "np.ndarray") -> "np.ndarray":
    """An image's grays as float32 in [0,1], (height, width), stretched over the photo, (height, width, channels)."""
    from PIL import Image

    from featviz.common.photograph import read_photograph, to_floats

    gray = read_photograph(path, 1, option="--mask").resize((photo.shape[1], photo.shape[0]), Image.Resampling.BILINEAR)
    return to_floats(gray)[..., 0]
