"""`featviz dream MODEL PHOTO -o OUT`: DeepDream on a photo, a video, or as a film that zooms into a photo."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.dream_outputs import check_out, dream_photo, dream_video, dream_zoom
from featviz.cli.exit_status import usage_errors
from featviz.cli.image_files import read_image
from featviz.cli.options.dream_choices import DreamChoice, FilmChoice, dream_options, film_options
from featviz.cli.options.keep_option import check_channels, keep_channels_option
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.targets import parse_target
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from featviz.model import Model
    from featviz.objectives import Objective


@click.command()
@classified_network_options
@click.argument("photo", type=PATH)
@out_option("Write this picture, or this film.", metavar="FILE")
@layers_option("Maximize these layers as a whole, by name or pattern, such as inception_4*.")
@click.option(
    "--target",
    "targets",
    metavar="TARGET",
    multiple=True,
    help="Maximize these units, written as for `featviz render`. The option may be repeated.",
)
@click.option("--guide", type=PATH, metavar="PHOTO", help="Guide the layers by the features of this photo.")
@dream_options
@click.option("--mask", type=PATH, metavar="IMAGE", help="Keep the photo where this image is black.")
@keep_channels_option
@click.option("--size", type=int, metavar="PX", help="Resize the photo's longer side first.  [default: its own size]")
@film_options
@click.option("--preview", type=PATH, metavar="PNG", help="Write the dream so far to this file every 5 seconds.")
@quiet_option(printed="path")
def dream(
    network: NetworkChoice,
    photo: Path,
    out: Path,
    layers: tuple[str, ...],
    targets: tuple[str, ...],
    guide: Path | None,
    choice: DreamChoice,
    mask: Path | None,
    keep_channels: tuple[int, ...] | None,
    size: int | None,
    film: FilmChoice,
    preview: Path | None,
    quiet: bool,
) -> None:
    """Change PHOTO so that the activations of layers or units of MODEL increase: DeepDream.

    PHOTO is an image, a video or a folder of frames; frames are dreamed one after another. After Ctrl-C the same
    command continues.
    """
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.dreaming.dream_checks import choose_octaves

    use_compilation_cache()
    with usage_errors():
        has_frames = photo.is_dir() or is_video(photo)
        check_options(choice, film, size, preview, has_frames=has_frames)
        check_out(out, is_film=has_frames or film.zoom is not None)
    model = network.load()
    with usage_errors():
        objective = choose_objective(model, layers, targets, guide)
        check_channels(keep_channels, model.input.channels)
        image = None if has_frames else read_photo(photo, model, size)
        if image is not None:
            choose_octaves(
                (image.shape[0], image.shape[1]), model.input.size, choice.octaves, scale=choice.octave_scale
            )
    if image is None:
        written = dream_video(model, photo, objective, out, choice, film, mask=mask, keep=keep_channels, quiet=quiet)
    elif film.zoom is not None:
        written = dream_zoom(model, image, objective, out, choice, film, mask=mask, keep=keep_channels, quiet=quiet)
    else:
        written = dream_photo(
            model, image, objective, out, choice, mask=mask, keep=keep_channels, preview=preview, quiet=quiet
        )
    if not quiet:
        click.echo(str(written))


def check_options(
    choice: DreamChoice, film: FilmChoice, size: int | None, preview: Path | None, *, has_frames: bool
) -> None:
    """Refuses options that do not go with a PHOTO of this kind, or with one another."""
    from featviz.rendering.checks import LARGEST_SIZE, SMALLEST_SIZE, check_count

    if has_frames and film.zoom is not None:
        raise FeatvizError("--zoom goes with a photo; PHOTO is a folder of frames or a video")
    if has_frames and size is not None:
        raise FeatvizError("--size goes with a photo; PHOTO is a folder of frames or a video")
    if preview is not None and (has_frames or film.zoom is not None):
        raise FeatvizError("--preview goes with a single dream; this is a film")
    if film.rotate and film.zoom is None:
        raise FeatvizError("--rotate turns the frames of a zoom; expected --zoom FRAMES as well")
    choice.check()
    film.check()
    if size is not None:
        check_count("--size", size, SMALLEST_SIZE, LARGEST_SIZE)


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    from featviz.dreaming.video import VIDEOS

    return path.suffix.lower() in VIDEOS


def choose_objective(model: "Model", layers: Sequence[str], targets: Sequence[str], guide: Path | None) -> "Objective":
    """The sum of the layers, each as a whole or guided by a photo, and of the targets."""
    from featviz.objectives import deepdream, guided_dream
    from featviz.rendering.observe import observe

    if guide is not None and not layers:
        raise FeatvizError("--guide goes with --layers, which it guides")
    terms = []
    image = None if guide is None else read_photo(guide, model, None)
    for name in find_layers(model, layers) or ():
        terms.append(deepdream(name) if image is None else guided_dream(name, observe(model, image, name)))
    terms += [objective for text in targets for objective in parse_target(text, model)]
    if not terms:
        known = model.layers[len(model.layers) // 2].name
        raise FeatvizError(f"there is nothing to maximize; expected --layers, such as {known}, or --target")
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def read_photo(path: Path, model: "Model", size: int | None) -> "Float[np.ndarray, 'h w c']":
    """A photo as float32 in [0,1], its longer side `size` pixels."""
    return read_image(path, model.input.channels, longer_side=size)
