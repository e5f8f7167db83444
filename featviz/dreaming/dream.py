"""DeepDream: a photo changed so that an objective of a network rises."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from featviz.common.canonical import describe, digest
from featviz.common.progress import progress_bar
from featviz.dreaming.prepared_dream import prepare_dream
from featviz.dreaming.state_files import read_state, state_writer
from featviz.model import Model, Weights
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_image, check_seed


def dream(
    model: Model,
    photo: Float[np.ndarray, "h w c"] | Picture,
    objective: Objective,
    *,
    octaves: int | None = None,
    octave_scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5 / 255,
    jitter: int = 32,
    laplacian: int = 0,
    mask: Float[np.ndarray, "h w"] | None = None,
    keep: Iterable[int] | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
    seed: int = 0,
    preview: str | os.PathLike[str] | None = None,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Picture:
    """DeepDream: a photo changed so that an objective rises, by the algorithm of 2015.

    Each step in each octave is x <- clip(x + step_size / mean |g| * mask * g, 0, 1), g the gradient at x shifted by up
    to `jitter` pixels, shifted back. Octaves are the photo at smaller sizes; what one octave has changed is enlarged
    and added to the photo in the next.

    Args:
      model: the network, as `fv.load` or an adapter gives it.
      photo: (height, width, channels) in [0,1], of any size from 8 pixels a side, or a Picture.
      objective: any objective; `fv.deepdream(layer)` is that of 2015, `fv.guided_dream` that with a guide.
      octaves: how many sizes, 1 to 64. None: as many as keep the smallest near the network's training size.
      octave_scale: ratio of the sizes of neighboring octaves, above 1.
      steps: steps in each octave, 1 to 100,000.
      step_size: mean change of a pixel in a step, of a range of 1.
      jitter: the largest shift in pixels in each direction, 0 to 4096.
      laplacian: bands of the gradient that are scaled to one size, which brings out large shapes; 0 for none, 4 as in
        TensorFlow's tutorial.
      mask: (height, width) from 0, where the photo stays as it is, to 1.
      keep: channels of the photo that stay exactly as they are, such as {3, 4} of an image of several bands.
      tile: pixels a side of the tiles through which the network sees a large photo, in bounded memory; 0 for one piece.
        None: tiles of 1024 above 2 megapixels. The gradient is normalized over the whole image, so no seam shows.
      weights: another checkpoint of the same network.
      seed: decides the shifts, 0 to 2^32 - 1.
      preview: a PNG file that shows the current image, written every few seconds.
      state: a file from which an interrupted dream resumes, bit for bit; removed at the end.
      progress: whether to show a bar on standard error, if that is a terminal.

    Returns:
      A Picture, whose `history` has the score of each step.

    Raises:
      FeatvizError: for a photo, an objective or an option out of its range; with tiles, for an objective that depends
        on the image as a whole.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)
    >>> dreamed = fv.dream(fv.load("patterns"), photo, fv.deepdream("conv2"), octaves=2, steps=2, progress=False)
    >>> dreamed.pixels.shape, len(dreamed.history)
    ((48, 64, 3), 4)

    Reference: Mordvintsev, Olah and Tyka, "Inceptionism: Going Deeper into Neural Networks", 2015.
    """
    seed = check_seed(seed)
    image = check_image("photo", photo, model)
    prepared = prepare_dream(
        model,
        (image.shape[0], image.shape[1]),
        objective,
        octaves=octaves,
        octave_scale=octave_scale,
        steps=steps,
        step_size=step_size,
        jitter=jitter,
        laplacian=laplacian,
        mask=mask,
        keep=keep,
        tile=tile,
        weights=weights,
    )
    dream_digest = digest([describe(prepared.provenance), seed, digest(image)])
    state_path = None if state is None else Path(state)
    resumed = None if state_path is None else read_state(state_path, dream_digest)
    write = state_writer(preview, state_path, dream_digest)
    current, count = resumed, prepared.settings.octaves
    total = count * prepared.settings.steps
    with progress_bar(None, total=total, unit="step", desc="dream", shown=progress) as bar:
        bar.update(0 if resumed is None else len(resumed.history))
        try:
            for current in prepared.states(image, seed, resume_from=resumed):
                write(current, False)
                bar.set_description(f"octave {current.octave + 1} of {count}", refresh=False)
                bar.update(1)
        except KeyboardInterrupt:
            if current is not None:
                write(current, True)
            raise
    assert current is not None
    if preview is not None:
        write(current, True)
    picture = prepared.picture(current, seed)
    if state_path is not None:
        state_path.unlink(missing_ok=True)
    return replace(picture, provenance={**picture.provenance, "photo_sha256": digest(image)})
