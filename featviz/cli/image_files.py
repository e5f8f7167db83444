"""The image that a command starts from: a photograph, or an array of any number of bands."""

from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import FeatvizError, in_one_line

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


def read_image(
    path: Path, channels: int, *, longer_side: int | None = None, option: str = ""
) -> "Float[np.ndarray, 'h w c']":
    """An image as float32 in [0,1] with a network's number of channels; those of an array keep their precision.

    Args:
      path: a photograph; or for any number of channels a `.npy` file or a TIFF that has as many.
      channels: how many the network takes.
      longer_side: pixels that its longer side gets, antialiased (Lanczos). None: as many as it has.
      option: the option that names the file; errors begin with it.

    Raises:
      FeatvizError: if there is no such file, it cannot be read, or it has another number of bands.
    """
    from PIL import Image

    from featviz.common.bands import is_band_file, read_floats, with_channels
    from featviz.common.photograph import read_photograph, to_floats
    from featviz.common.tiff_bands import is_tiff

    if not is_band_file(path) and (channels in (1, 3) or not is_tiff(path)):
        photo = read_photograph(path, channels, option=option)
        if longer_side is not None:
            width, height = _fit(photo.size, longer_side)
            photo = photo.resize((width, height), Image.Resampling.LANCZOS)
        return to_floats(photo)
    name = f"{option}: " * bool(option) + f"`{path.name}`"
    try:
        bands = with_channels(read_floats(path), channels)
    except FileNotFoundError:
        raise FeatvizError(f"{name} does not exist; expected an image file") from None
    # Damaged files raise errors of any kind.
    except Exception as error:
        raise FeatvizError(f"{name} cannot be read: {in_one_line(error)}") from None
    return bands if longer_side is None else _resize(bands, longer_side)


def _fit(size: tuple[int, ...], longer_side: int) -> tuple[int, int]:
    """Two sides, of which the longer one has that many pixels.

    >>> _fit((40, 20), 10)
    (10, 5)
    """
    factor = longer_side / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _resize(image: "Float[np.ndarray, 'h w c']", longer_side: int) -> "Float[np.ndarray, 'height width c']":
    """Each channel by itself: Pillow resizes floats of one."""
    import numpy as np
    from PIL import Image

    height, width = _fit(image.shape[:2], longer_side)
    planes = [Image.fromarray(np.ascontiguousarray(image[..., index])) for index in range(image.shape[-1])]
    resized = [np.asarray(plane.resize((width, height), Image.Resampling.LANCZOS)) for plane in planes]
    return np.clip(np.stack(resized, -1), 0, 1)
