"""What a user says of a dictionary where its file does not."""

import math
from dataclasses import dataclass

from featviz.dictionaries.kinds import KINDS
from featviz.dictionaries.normalizations import Normalization
from featviz.errors import FeatvizError, suggest


@dataclass(frozen=True)
class Hints:
    """Each is None where the file decides.

    Args:
      kind: a key of `KINDS`.
      k: of TopK.
      threshold: of BatchTopK.
      centered: whether the encoder subtracts the decoder's bias.
      normalization: of activations, in place of the file's.
    """

    kind: str | None = None
    k: int | None = None
    threshold: float | None = None
    centered: bool | None = None
    normalization: Normalization | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise FeatvizError(f"`kind` is `{self.kind}`; {suggest(self.kind, KINDS)}")
        if self.k is not None and self.k < 1:
            raise FeatvizError(f"`k` is {self.k}; expected 1 or more")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise FeatvizError(f"`threshold` is {self.threshold}; expected a finite number")
