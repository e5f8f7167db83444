"""Which positions of a photograph are taken, and which of them have high norms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from featviz.common.arguments import check_count
from featviz.surveys.receptive_fields import grid_of

# A position whose norm exceeds this many medians: vision transformers keep global information in such tokens, which
# say nothing of their place (Darcet et al. 2024, Vision Transformers Need Registers).
HIGH_NORM = 4.0


class Norms(NamedTuple):
    """How long a layer's activations are, and how many of them are more than four times as long as most.

    Args:
      median: of the norms at the first photographs; None until it is measured.
      seen: how many positions were drawn.
      high: how many of them have high norms.
      squares: the sum of all squared norms.
      high_squares: that of those with high norms.
    """

    median: float | None = None
    seen: int = 0
    high: int = 0
    squares: float = 0.0
    high_squares: float = 0.0

    def measured(self, values: Float[np.ndarray, "rows units"]) -> "Norms":
        """With the median of these activations: of the first photographs, so that a stop changes nothing."""
        return self._replace(median=float(np.median(np.linalg.norm(values, axis=1))))

    def after(self, values: Float[np.ndarray, "rows units"]) -> tuple["Norms", Bool[np.ndarray, " rows"]]:
        """With the activations of one more photograph, and which of them have high norms.

        >>> norms, high = Norms(median=1.0).after(np.array([[1.0, 0.0], [3.0, 4.0]]))
        >>> norms.high, norms.high_squares, high.tolist()
        (1, 25.0, [False, True])
        """
        assert self.median is not None
        lengths = np.linalg.norm(values.astype(np.float64), axis=1)
        high = lengths > HIGH_NORM * self.median
        counts = self.seen + len(lengths), self.high + int(high.sum())
        sums = self.squares + float(np.sum(lengths**2)), self.high_squares + float(np.sum(lengths[high] ** 2))
        return Norms(self.median, *counts, *sums), high


@dataclass(frozen=True)
class Sampling:
    """Which positions of a photograph are taken.

    Args:
      per_photo: how many, drawn without replacement; None for all.
      class_tokens: whether tokens without a place in the image are among them: class tokens, registers.
      high_norms: whether positions are among them whose norm is more than four times the median.
      seed: of what is drawn.

    Raises:
      FeatvizError: if `per_photo` is no count.
    """

    per_photo: int | None = None
    class_tokens: bool = False
    high_norms: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_photo is not None:
            check_count("positions", self.per_photo, 1, 10**9)

    def candidates(self, shape: tuple[int, ...], size: tuple[int, int]) -> Int[np.ndarray, " positions"]:
        """The indices of a layer's positions that may be drawn.

        Args:
          shape: of the layer, without the batch.
          size: (height, width) of the photographs.

        >>> shape, size = (197, 192), (224, 224)
        >>> Sampling().candidates(shape, size)[:3].tolist(), len(Sampling(class_tokens=True).candidates(shape, size))
        ([1, 2, 3], 197)
        """
        skipped = 0 if self.class_tokens or len(shape) != 2 else grid_of(shape, size).skipped
        return np.arange(skipped, int(np.prod(shape[:-1], dtype=np.int64)))

    def draw(self, photo: int, candidates: Int[np.ndarray, " positions"]) -> Int[np.ndarray, " sampled"]:
        """The positions of a photograph, ascending: the same whenever they are asked for."""
        if self.per_photo is None or self.per_photo >= len(candidates):
            return candidates
        rng = np.random.default_rng([self.seed, photo])
        return np.sort(rng.choice(candidates, self.per_photo, replace=False))
