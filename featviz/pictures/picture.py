"""A picture with its provenance: what was drawn, how well it did, how it ended, and how to make it again."""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featviz.ascent.outcome import Outcome
from featviz.common.files import write_all
from featviz.errors import FeatvizError, in_one_line
from featviz.pictures.picture_files import (
    SUFFIXES,
    check_picture_path,
    encode_array,
    encode_image,
    plain_json,
    read_picture,
    record_json,
    squeeze,
)

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "Outcome", "Picture", "check_picture_path", "load_picture", "plain_json"]

# What the record holds beside the provenance.
RECORD_KEYS = ("channels", "history", "outcome", "score")


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """What one lane drew: float32 pixels in [0,1], (height, width, channels), and where they come from.

    `score` is the objective on the clean image, `history` the score of each step on transformed views,
    (steps,), `alpha` in [0,1], (height, width). `provenance` holds plain JSON values, among them `name`.

    >>> pixels = np.full((2, 3, 1), 0.5, np.float32)
    >>> Picture(pixels, 1.25, Outcome.CONVERGED, np.zeros(4), {"name": "conv1:7"})
    <Picture conv1:7, 2 x 3 x 1, score 1.25, converged>
    """

    pixels: np.ndarray
    score: float
    outcome: Outcome
    history: np.ndarray
    provenance: Mapping[str, Any]
    alpha: np.ndarray | None = None

    def __post_init__(self) -> None:
        pixels, history = np.asarray(self.pixels), np.asarray(self.history, np.float32)
        # Integers are most likely 0 to 255, and would save as white.
        if pixels.dtype.kind in "biucOSU":
            raise FeatvizError(f"`pixels` are {pixels.dtype}; expected floats in [0,1]")
        if pixels.ndim != 3 or pixels.size == 0:
            raise FeatvizError(f"`pixels` have shape {pixels.shape}; expected (height, width, channels)")
        if history.ndim != 1:
            raise FeatvizError(f"`history` has shape {history.shape}; expected (steps,)")
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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The pixels, (height, width, channels), for numpy and for what draws arrays: `plt.imshow(picture)`."""
        return np.array(self.pixels, dtype, copy=copy)

    @property
    def name(self) -> str:
        """The provenance's `name`, as `inception_4c:103`, else `picture`."""
        return str(self.provenance.get("name", "picture"))

    def to_uint8(self) -> np.ndarray:
        """The pixels as bytes, round(clip(pixels) * 255), half to even; alpha, if there is one, comes last.

        >>> Picture(np.array([[[0.5, 2.0, np.nan]]]), 0, Outcome.DEAD, [], {}).to_uint8().tolist()
        [[[128, 255, 0]]]
        """
        # What is not a number has no byte; black is the one that every platform shows alike.
        values = np.nan_to_num(self._with_alpha(), nan=0.0, posinf=1.0, neginf=0.0)
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)

    def preview(self) -> "Image":
        """A PIL image to look at: as saved; of two bands the mean, of more than three the first three.

        >>> Picture(np.zeros((2, 3, 5)), 0, Outcome.DEAD, [], {}).preview().mode
        'RGB'
        """
        from PIL import Image

        channels = self.pixels.shape[-1]
        shown = self.pixels[..., :3] if channels > 2 else self.pixels.mean(-1, keepdims=True)
        return Image.fromarray(squeeze(replace(self, pixels=shown).to_uint8()))

    def show(self) -> None:
        """The picture in a window, or in the notebook, by matplotlib."""
        from matplotlib import pyplot

        _, axes = pyplot.subplots(layout="constrained")
        axes.imshow(np.asarray(self.preview().convert("RGBA")), interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{self.name}, score {self.score:.4g}, {self.outcome.value}")
        pyplot.show()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the picture and, beside it, a JSON file: provenance, score, outcome, history, channels.

        `.png` and `.webp` hold 8 bits, 1 or 3 channels, the PNG the record too, as an iTXt chunk; `.npy`
        float32 exactly, any number of channels. Each file is whole or absent, and no picture lacks its JSON.

        Raises: FeatvizError if the extension is unknown, the folder missing or the file not to be written.
        """
        target = check_picture_path(path)
        channels, suffix = self.pixels.shape[-1], target.suffix.lower()
        if suffix != ".npy" and channels not in (1, 3):
            found = f"`pixels` have {channels} channels, but `{suffix}` holds 1 or 3"
            raise FeatvizError(f"{found}; expected a `.npy` path")
        record = self._record()
        inside = record_json(record)
        data = encode_array(self._with_alpha()) if suffix == ".npy" else encode_image(self.to_uint8(), suffix, inside)
        # The picture last: where it is, its record is.
        write_all([(target.with_suffix(".json"), (record_json(record, indent=1) + "\n").encode()), (target, data)])
        return target

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.preview().save(buffer, "PNG")
        return buffer.getvalue()

    def _with_alpha(self) -> np.ndarray:
        return self.pixels if self.alpha is None else np.concatenate([self.pixels, self.alpha[..., None]], -1)

    def _record(self) -> dict[str, Any]:
        # The shortest decimals that give the same float32 again.
        history = [float(str(value)) for value in self.history]
        own = {"score": self.score, "outcome": self.outcome.value, "history": history}
        return plain_json({**self.provenance, **own, "channels": self.pixels.shape[-1]})


def load_picture(path: str | os.PathLike[str]) -> Picture:
    """The picture of a .png, .webp or .npy file, with the record of the JSON beside it, else of the PNG.

    Without a record the score is nan, the outcome `OUT_OF_STEPS`, history and provenance empty.

    Raises: FeatvizError if there is no such file, or it holds no picture.
    """
    pixels, alpha, record = read_picture(path)
    provenance = {key: value for key, value in record.items() if key not in RECORD_KEYS}
    try:
        score, outcome = float(record.get("score", "nan")), Outcome(record.get("outcome", "out of steps"))
        history = np.array([float(value) for value in record.get("history", [])], np.float32)
    except (TypeError, ValueError) as error:
        raise FeatvizError(f"the record of `{Path(path)}` is damaged: {in_one_line(error)}") from None
    return Picture(pixels, score, outcome, history, provenance, alpha)
