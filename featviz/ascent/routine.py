"""What is compiled, as a value, and what one optimization is while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import optax

from featviz.model import Apply
from featviz.parameterizations import Parameterization, Shape
from featviz.regularizers import Fidelity, Transform

# The version of what is computed: raised whenever a change here, or in what this stands on, changes pictures' bits.
VERSION = 4
# How a lane stands. Running lanes move; all others are frozen.
RUNNING, CONVERGED, OUT_OF_STEPS, NOT_FINITE = range(4)
# The axis of a mesh of devices over which lanes are spread.
LANES = "lanes"


@dataclass(frozen=True)
class Convergence:
    """When a score has stopped rising: the mean of `window` steps exceeds that of the `window` before by
    less than `tolerance` of its size, not before `patience` windows.

    Decided by each lane on its own step counter, so that neighbors and chunks cannot matter.
    """

    window: int = 32
    tolerance: float = 0.01
    patience: int = 3


@dataclass(frozen=True)
class Routine:
    """All that is compiled: hashable, without weights, units or seeds, which are arguments.

    `chunk` is the number of steps of one compiled call. It is 1 on a CPU, where XLA runs the convolutions of a loop's
    body two to four times slower than the same ones outside, and the call itself costs next to nothing. `shape` is
    (n, height, width, channels): n images of a group are optimized together, and group objectives look at all of them.
    """

    apply: Apply
    parameterization: Parameterization
    optimizer: Callable[[], optax.GradientTransformation]
    transforms: tuple[Transform, ...]
    shape: Shape
    samples: int = 1
    redirect_steps: int = 16
    convergence: Convergence | None = None
    chunk: int = 1
    dtype: str = "float32"
    transparency: bool = False
    fidelity: Fidelity | None = None


class Lane(NamedTuple):
    """One optimization; stacked over lanes, every leaf has a leading lane axis."""

    params: Any
    optimizer: Any  # the state of the optax transformation
    key: jax.Array  # typed key, folded with the step for each step's draws
    step: jax.Array  # int32: steps done
    status: jax.Array  # int32: RUNNING, CONVERGED, OUT_OF_STEPS, NOT_FINITE
    moved: jax.Array  # bool: whether any gradient was ever other than zero
    window_sum: jax.Array  # float32: sum of the scores of the window under way
    window_mean: jax.Array  # float32: mean of the last whole window
    attribution: jax.Array | None  # float32 (n, height, width): sum over steps of |d objective / d image|, where wanted
    anchor: jax.Array | None  # float32 (n, height, width, c): the image at the start, where fidelity is wanted
    balance: jax.Array | None  # float32: of the objective's gradient and fidelity's, 0 until it is decided
