"""A picture with its provenance: its pixels, its score, how it ended, and how to make it again."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import DTypeLike

from featviz.ascent.outcome import Outcome
from featviz.common.bands import shown_bands
from featviz.common.files import write_all_atomic
from featviz.common.notebook_html import figure_html, image_html
from featviz.errors import FeatvizError, in_one_line
from featviz.pictures.endings import ending_sentence
from featviz.pictures.picture_files import (
    SUFFIXES,
    check_picture_path,
    encode_array,
    encode_image,
    plain_json,
    read_picture,
    record_json,
    squeeze_gray,
)

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "Outcome", "Picture", "check_picture_path", "load_picture", "plain_json"]

# Of a picture whose scores along the way are not known.
NO_HISTORY: Float[np.ndarray, "looks 2"] = np.zeros((0, 2), np.float32)
# The keys of a record that are not provenance.
RECORD_KEYS = ("channels", "clean_history", "ending", "history", "outcome", "score")


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """An image that maximizes an objective, and where it comes from.

    NumPy and matplotlib take a picture as an array of its pixels: `plt.imshow(picture)`. A notebook shows it with its
    name, score and ending.

    Attributes:
      pixels: float32 in [0,1].
      score: the objective's value on the clean image.
      outcome: how the optimization ended: converged, out of steps, not finite, dead (no gradient, or a score of 0 all
        the time), constant (the score varies by no more than rounding) or unmoved (the picture is still its starting
        noise).
      history: the score of each step, on transformed images; empty if it is not known.
      provenance: plain JSON values that say how to make the picture again: `name`, `command`, the network, the
        objective, the recipe, the size, the steps, the seed, the versions.
      alpha: in [0,1], or None for a picture without transparency.
      clean_history: rows of (steps done, score of the picture as it is then), from the start to the end, about every 16
        steps; empty if it is not known. The last score is `score`. Unlike `history` it does not depend on how strong
        the transforms are at a step.

    Raises:
      FeatvizError: if an array has another shape, or `pixels` are not floats.

    >>> pixels = np.full((2, 3, 1), 0.5, np.float32)
    >>> Picture(pixels, 1.25, Outcome.CONVERGED, np.zeros(4), {"name": "conv1:7"})
    <Picture conv1:7, 2 x 3 x 1, score 1.25, converged>
    """

    pixels: Float[np.ndarray, "h w c"]
    score: float
    outcome: Outcome
    history: Float[np.ndarray, " steps"]
    provenance: Mapping[str, Any]
    alpha: Float[np.ndarray, "h w"] | None = None
    clean_history: Float[np.ndarray, "looks 2"] = field(default_factory=NO_HISTORY.copy)

    def __post_init__(self) -> None:
        pixels, history = np.asarray(self.pixels), np.asarray(self.history, np.float32)
        # Integers are most likely 0 to 255, and would be saved as white.
        if pixels.dtype.kind in "biucOSU":
            raise FeatvizError(f"`pixels` are {pixels.dtype}; expected floats in [0,1]")
        if pixels.ndim != 3 or pixels.size == 0:
            raise FeatvizError(f"`pixels` have shape {pixels.shape}; expected (height, width, channels)")
        if history.ndim != 1:
            raise FeatvizError(f"`history` has shape {history.shape}; expected (steps,)")
        clean = np.asarray(self.clean_history, np.float32)
        if clean.ndim != 2 or clean.shape[1] != 2:
            raise FeatvizError(f"`clean_history` has shape {clean.shape}; expected (looks, 2), of steps and scores")
        object.__setattr__(self, "clean_history", clean)
        object.__setattr__(self, "pixels", pixels.astype(np.float32, copy=False))
        object.__setattr__(self, "history", history)
        object.__setattr__(self, "score", float(self.score))
        if self.alpha is not None:
            alpha = np.asarray(self.alpha, np.float32)
            if alpha.shape != pixels.shape[:2]:
                raise FeatvizError(f"`alpha` has shape {alpha.shape}; expected {pixels.shape[:2]}")
            object.__setattr__(self, "alpha", alpha)

    def __repr__(self) -> str:
        size = " x ".join(str(side) for side in self.pixels.shape)
        return f"<Picture {self.name}, {size}, score {self.score:.4g}, {self.outcome.value}>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Float[np.ndarray, "h w c"]:
        """The pixels, for NumPy and for what draws arrays: `plt.imshow(picture)`."""
        return np.array(self.pixels, dtype, copy=copy)

    @property
    def name(self) -> str:
        """The objective's label, such as `inception_4c:103`; `picture` if the provenance has none."""
        return str(self.provenance.get("name", "picture"))

    @property
    def ending(self) -> str:
        """How the optimization ended, in words; with figures if the picture means little.

        >>> looks = [[0, 1.25], [64, 1.250001]]
        >>> Picture(np.zeros((2, 3, 1)), 1.25, Outcome.CONSTANT, [], {}, clean_history=looks).ending
        'constant: its score changed by 9.5e-07 of its size 1.25 in 64 steps: it hardly depends on the image'
        """
        return ": ".join(filter(None, (self.outcome.value, ending_sentence(self.outcome, self.clean_history))))

    def to_uint8(self) -> UInt8[np.ndarray, "h w c"]:
        """The pixels as bytes, round(clip(pixels, 0, 1) * 255), half to even; the alpha is the last channel.

        >>> Picture(np.array([[[0.5, 2.0, np.nan]]]), 0, Outcome.DEAD, [], {}).to_uint8().tolist()
        [[[128, 255, 0]]]
        """
        # NaN has no byte; casting it gives another one on every platform, so it is black.
        values = np.nan_to_num(self._with_alpha(), nan=0.0, posinf=1.0, neginf=0.0)
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)

    def preview(self) -> "Image":
        """A PIL image to look at: gray for one channel and for the mean of two, RGB for three of more, which
        `InputSpec.rgb` names.

        >>> Picture(np.zeros((2, 3, 5)), 0, Outcome.DEAD, [], {}).preview().mode
        'RGB'
        """
        from PIL import Image

        network = self.provenance.get("network")
        rgb = network.get("rgb", ()) if isinstance(network, Mapping) else ()
        shown = shown_bands(self.pixels, tuple(rgb))
        return Image.fromarray(squeeze_gray(replace(self, pixels=shown).to_uint8()))

    def show(self) -> None:
        """Shows the picture by matplotlib, in a window or in the notebook."""
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(layout="constrained")
        try:
            axes.imshow(np.asarray(self.preview().convert("RGBA")), interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(f"{self.name}, score {self.score:.4g}, {self.outcome.value}")
            pyplot.show()
        finally:
            # Only a window that does not wait, as in interactive mode, is still looked at.
            if not (pyplot.isinteractive() and figure.canvas.required_interactive_framework):
                pyplot.close(figure)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the picture and, beside it, a JSON record: provenance, score, outcome, history, channels.

        Both files are written atomically, the record first: no picture is without its record.

        Args:
          path: ends in `.png` or `.webp` for 8 bits a channel and 1 or 3 channels, or in `.npy` for float32 and any
            number of channels. A PNG holds the record too, as an iTXt chunk.

        Returns:
          The path of the picture.

        Raises:
          FeatvizError: if the extension is unknown, the folder is missing, or a file cannot be written.
        """
        target = check_picture_path(path)
        channels, suffix = self.pixels.shape[-1], target.suffix.lower()
        if suffix != ".npy" and channels not in (1, 3):
            raise FeatvizError(
                f"`pixels` have {channels} channels, but `{suffix}` holds 1 or 3; expected a `.npy` path"
            )
        record = self._record()
        inside = record_json(record)
        data = encode_array(self._with_alpha()) if suffix == ".npy" else encode_image(self.to_uint8(), suffix, inside)
        # The picture last: wherever there is a picture, there is its record.
        write_all_atomic(
            [(target.with_suffix(".json"), (record_json(record, indent=1) + "\n").encode()), (target, data)]
        )
        return target

    def _repr_html_(self) -> str:
        ending = f"{self.ending[0].upper()}{self.ending[1:]}"
        about = (str(self.provenance.get("class") or ""), str(self.provenance.get("note") or ""))
        lines = [self.name, *about, f"score {self.score:.4g}" if np.isfinite(self.score) else "", ending]
        return figure_html(image_html(self.preview(), f"Picture of {self.name}: {self.ending}."), lines)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.preview().save(buffer, "PNG")
        return buffer.getvalue()

    def _with_alpha(self) -> Float[np.ndarray, "h w c"]:
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha[..., None]], -1)

    def _record(self) -> dict[str, Any]:
        # The shortest decimals that give the same float32 again.
        history = [float(str(value)) for value in self.history]
        clean = [[int(step), float(str(score))] for step, score in self.clean_history]
        results: dict[str, Any] = {"score": self.score, "outcome": self.outcome.value, "history": history}
        results |= {"clean_history": clean} if clean else {}
        results |= {"ending": self.ending} if self.ending != self.outcome.value else {}
        return plain_json({**self.provenance, **results, "channels": self.pixels.shape[-1]})


def load_picture(path: str | os.PathLike[str]) -> Picture:
    """The picture of a file, with the record of the JSON beside it, or else of the PNG itself.

    Args:
      path: a .png, .webp or .npy file.

    Returns:
      The picture. Without a record its score is nan, its outcome `OUT_OF_STEPS`, and its histories and provenance are
      empty.

    Raises:
      FeatvizError: if there is no such file, or it holds no picture.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Picture(np.zeros((2, 3, 1)), 1.5, Outcome.CONVERGED, [], {"name": "conv1:7"}).save(f"{folder}/a.png")
    ...     load_picture(path)
    <Picture conv1:7, 2 x 3 x 1, score 1.5, converged>
    """
    pixels, alpha, record = read_picture(path)
    provenance = {key: value for key, value in record.items() if key not in RECORD_KEYS}
    try:
        score, outcome = float(record.get("score", "nan")), Outcome(record.get("outcome", "out of steps"))
        history = np.array([float(value) for value in record.get("history", [])], np.float32)
        clean = np.array([[float(value) for value in row] for row in record.get("clean_history", [])], np.float32)
    except (TypeError, ValueError) as error:
        raise FeatvizError(f"the record of `{Path(path)}` is damaged: {in_one_line(error)}") from None
    return Picture(pixels, score, outcome, history, provenance, alpha, clean.reshape(-1, 2))
