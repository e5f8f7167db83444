"""What a dictionary makes of positions that it was not fitted to: explained variance, L0, dead latents, densities."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import compiled
from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting.activation_store import HELD_OUT, TRAIN, ActivationStore

# Positions of one call, and how many are measured at most.
BATCH, MAX_MEASURED = 2048, 2**17
# Edges of the histogram of densities, as powers of ten.
EDGES = tuple(float(edge) for edge in np.arange(-5, 0.5, 0.5))


class FitReport(NamedTuple):
    """How well a dictionary fits positions.

    Args:
      positions: how many were measured.
      explained_variance: 1 - sum |x - reconstruction|² / sum |x - mean|²; below 0 the mean alone is better.
      l0: how many latents fire at a position on average.
      dead: the share of latents that fire at no measured position.
      density: the share of positions at which each latent fires, (latents,).
    """

    positions: int
    explained_variance: float
    l0: float
    dead: float
    density: Float[np.ndarray, " latents"]

    @property
    def histogram(self) -> tuple[tuple[str, int], ...]:
        """How many latents have a density in each half of a power of ten; first those that never fire."""
        fires = self.density[self.density > 0]
        counts, _ = np.histogram(np.log10(fires), bins=[-np.inf, *EDGES[1:-1], np.inf])
        names = [f"{_percent(low)} to {_percent(high)} %" for low, high in pairwise(EDGES)]
        return (("never", int((self.density == 0).sum())), *zip(names, counts.tolist(), strict=True))

    @property
    def densities(self) -> str:
        """The histogram in words, without its empty bins."""
        return ", ".join(f"{name}: {count}" for name, count in self.histogram if count)

    @property
    def lines(self) -> tuple[str, ...]:
        """The report in words."""
        return (
            f"explained variance {self.explained_variance:.3f} at {self.positions} positions",
            f"L0 {self.l0:.1f} of {len(self.density)} latents, dead {self.dead:.1%}",
            f"latents by the share of positions at which they fire: {self.densities}",
        )


def _percent(power: float) -> str:
    """A power of ten as a percentage of two digits.

    >>> _percent(-0.5), _percent(-2.0), _percent(0.0)
    ('32', '1', '100')
    """
    return f"{float(f'{100 * 10**power:.2g}'):g}"


def report_fit(dictionary: Dictionary, store: ActivationStore) -> FitReport:
    """How well a dictionary fits the held-out positions of a store, or the others where none are held out.

    Args:
      dictionary: to be measured.
      store: of activations of its layer.
    """
    part = HELD_OUT if store.rows(HELD_OUT) else TRAIN
    count = -(-store.rows(part) // BATCH)
    # Evenly over the photographs: the first ones of a sorted folder are of a few classes.
    taken = np.unique(np.linspace(0, count - 1, min(count, MAX_MEASURED // BATCH)).round().astype(int))
    return measure_fit(dictionary, (store.read(part, index * BATCH, (index + 1) * BATCH) for index in taken.tolist()))


def measure_fit(dictionary: Dictionary, batches: Iterable[Float[np.ndarray, "n units"]]) -> FitReport:
    """How well a dictionary fits activations.

    Args:
      dictionary: to be measured.
      batches: of activations, at most `BATCH` positions each.

    >>> from featviz.dictionaries.kinds import KMeans
    >>> centers = Dictionary(KMeans(centers=np.eye(2, dtype=np.float32)))
    >>> report = measure_fit(centers, [np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.5]], np.float32)])
    >>> report.l0, report.density.round(2).tolist()
    (1.0, [0.67, 0.33])
    """
    count, error, fires = 0, 0.0, np.zeros(dictionary.latents)
    total, squares = np.zeros(dictionary.units), np.zeros(dictionary.units)
    shift = None
    for batch in batches:
        shift = batch.mean(axis=0, dtype=np.float64) if shift is None else shift
        # Rows of zeros fill the last call, so that one program is compiled.
        padded = np.zeros((BATCH, dictionary.units), np.float32)
        padded[: len(batch)] = batch
        args = (dictionary, padded, np.arange(BATCH) < len(batch))
        errors, fired = compiled(_measure, *args)(*args)
        error += float(np.sum(np.asarray(errors, np.float64)))
        fires += np.asarray(fired, np.float64)
        own = batch.astype(np.float64) - shift
        total, squares = total + own.sum(axis=0), squares + np.square(own).sum(axis=0)
        count += len(batch)
    spread = float(np.sum(squares - np.square(total) / max(count, 1)))
    explained = 1 - error / spread if spread > 0 else float(error == 0)
    density = fires / max(count, 1)
    return FitReport(count, explained, float(density.sum()), float(np.mean(fires == 0)), density)


@jax.jit
def _measure(dictionary: Dictionary, activations: Any, counted: Any) -> tuple[Array, Array]:
    latents = dictionary.encode(activations)
    found = dictionary.decode(latents, like=activations)
    errors = jnp.where(counted, jnp.sum(jnp.square(activations - found), axis=1), 0)
    # Latents of either sign fire where they are not zero.
    return errors, jnp.sum((latents != 0) & counted[:, None], axis=0)
