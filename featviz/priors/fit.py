"""Training a denoiser on photographs, by steps or by time, that can be stopped and continued."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.errors import FeatvizError
from featviz.priors.crops import CropSource, Pyramids, crop_source
from featviz.priors.fit_checkpoints import load_checkpoint, save_checkpoint
from featviz.priors.held_out import HeldOut, LossTable, mean_loss
from featviz.priors.training_step import FitSettings, FitState, fit_step, init_state
from featviz.priors.unet import DenoiserConfig

# Steps of a call on accelerators. XLA's CPU convolutions are two to four times slower inside a loop.
STEPS_PER_CALL = 50
# Seconds between two checkpoints.
CHECKPOINT_SECONDS = 60.0
# The learning rate's schedule knows the speed from the first calls that are not compilation.
CALIBRATION = 100


class Length(NamedTuple):
    """How long a training takes: a number of steps, or a time, whichever ends it first.

    Args:
      steps: of the learning rate's schedule; None for as many as the time allows.
      deadline: on the clock of `time.monotonic`; None for no limit.
    """

    steps: int | None = None
    deadline: float | None = None


class FitReport(NamedTuple):
    """What is said while it trains.

    Args:
      step: how many steps are done.
      total: how many there will be.
      loss: the mean over the steps since the last report.
      steps_per_second: since the last report, looks at held-out photographs and checkpoints apart.
      held_out: losses by size and noise level on photographs not trained on; empty without any.
      trained: the same on photographs that are trained on.
    """

    step: int
    total: int
    loss: float
    steps_per_second: float
    held_out: dict[int, list[float]]
    trained: dict[int, list[float]]


def measure_colors(pyramids: Pyramids) -> tuple[float, float]:
    """The mean and the standard deviation of all values, in [0,1], for `DenoiserConfig`.

    Args:
      pyramids: photographs.
    """
    # Every 97th value, a prime, so that channels and columns take turns.
    values = np.asarray(pyramids.values[::97], np.float32) / 255
    if not values.size:
        raise FeatvizError("no photograph is large enough for a crop; expected larger ones or smaller crops")
    if values.std() < 1 / 255:
        raise FeatvizError("the photographs have a single color; expected photographs of something")
    return round(float(values.mean()), 3), round(float(values.std()), 3)


def fit(
    photographs: Pyramids,
    config: DenoiserConfig,
    settings: FitSettings,
    length: Length,
    *,
    report: Callable[[FitReport], None] = lambda report: None,
    on_steps: Callable[[int, int], None] = lambda step, total: None,
    every: int = 500,
    held_out: Sequence[HeldOut] = (),
    trained: Sequence[HeldOut] = (),
    checkpoint: Path | None = None,
    resume: bool = False,
    step: Callable[..., tuple[FitState, Any]] | None = None,
) -> tuple[FitState, float | None]:
    """Trains a denoiser.

    Deterministic from `settings.seed` if its length is a number of steps, on one machine.

    Args:
      photographs: to train on.
      config: the architecture.
      settings: of the training.
      length: of the training; with both numbers the schedule is that of `steps`, and it may be cut short.
      report: is called every `every` steps and at the end.
      on_steps: is called after each call of the program, with how many steps are done and how many there will be.
      every: steps between two reports.
      held_out: crops of other photographs, on which the loss is measured.
      trained: crops of some that are trained on.
      checkpoint: the file that it can be continued from, written once a minute, at the end, and when interrupted.
      resume: whether to continue from that file.
      step: of the photographs, the number of all steps and the state, the state after one step more and its loss; by
        default `fit_step`, compiled.

    Returns:
      The last state, whose `average` are the weights to keep, and the loss on held-out photographs, None without them.

    Raises:
      FeatvizError: if the photographs are too small, the checkpoint is of another training, or the loss is not finite.
      KeyboardInterrupt: on Ctrl-C, when the checkpoint is written.
    """
    if length.steps is None and length.deadline is None:
        raise FeatvizError("`length` has neither steps nor a deadline; expected one of them")
    sources = tuple(crop_source(photographs, size) for size in settings.sizes)
    state = load_checkpoint(checkpoint, config, settings) if resume and checkpoint else init_state(config, settings)
    save = partial(_save, checkpoint, config, settings)
    pace = _Pace(length, int(state.step))
    chunk = 1 if jax.default_backend() == "cpu" or step else STEPS_PER_CALL
    program = None if step else _chunk_program(config, settings, chunk)
    table = LossTable(config, half=settings.half)
    # Compiled before the clock of the steps begins.
    table(state.average, held_out or trained)
    losses: list[Any] = []
    last, last_time, saved, paused = pace.step, time.monotonic(), time.monotonic(), 0.0
    final = None
    try:
        while not pace.is_done:
            args = (sources, jnp.int32(pace.total), state)
            run = step if program is None else compiled(program, *args)
            assert run is not None
            state, mean = run(*args)
            losses.append(mean)
            if chunk > 1 or len(losses) % 10 == 0:
                jax.block_until_ready(mean)
            pace.advance(chunk)
            on_steps(pace.step, pace.total)
            if pace.step // every > last // every or pace.is_done:
                loss = float(np.mean([float(value) for value in losses]))
                if not np.isfinite(loss):
                    raise FeatvizError(f"the loss is {loss} after {pace.step} steps; expected a smaller learning rate")
                begun = time.monotonic()
                speed = (pace.step - last) / max(begun - last_time - paused, 1e-9)
                tables = [table(state.average, crops) for crops in (held_out, trained)]
                final = mean_loss(tables[0]) if tables[0] else None
                report(FitReport(pace.step, pace.total, loss, speed, *tables))
                losses, last, last_time, paused = [], pace.step, time.monotonic(), 0.0
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                begun = time.monotonic()
                save(state)
                saved = time.monotonic()
                paused += saved - begun
    except KeyboardInterrupt:
        # A second Ctrl-C ends it at once.
        save(state)
        raise
    save(state)
    if final is None and held_out:
        # Of a training that was finished before.
        final = mean_loss(table(state.average, held_out))
    return state, final


class _Pace:
    """Which step it is, and how many there will be.

    Args:
      length: of the training.
      step: how many steps are done.
    """

    def __init__(self, length: Length, step: int) -> None:
        self.length = length
        self.step = step
        # Far enough that the learning rate is at its highest until the speed is known.
        self.total = length.steps if length.steps is not None else 10**6
        self._calls = 0
        self._start: tuple[int, float] | None = None

    @property
    def is_done(self) -> bool:
        late = self.length.deadline is not None and time.monotonic() >= self.length.deadline
        return self.step >= self.total or (late and self._calls > 0)

    def advance(self, steps: int) -> None:
        self.step += steps
        self._calls += 1
        now = time.monotonic()
        if self._start is None:
            # The first call has compiled.
            self._start = (self.step, now)
        elif self.length.steps is None and self.length.deadline is not None:
            done = self.step - self._start[0]
            if done >= min(CALIBRATION, 10 * steps):
                # Everything counts, looks at held-out photographs and checkpoints as well.
                rate = done / (now - self._start[1])
                self.total = max(self.step, round(self.step + rate * (self.length.deadline - now)))


# Kept: a further training with the same numbers compiles nothing.
@lru_cache(maxsize=4)
def _chunk_program(config: DenoiserConfig, settings: FitSettings, chunk: int) -> Any:
    def one(sources: tuple[CropSource, ...], total: Any, state: FitState) -> tuple[FitState, Any]:
        return fit_step(sources, total, state, config, settings)

    def chained(sources: tuple[CropSource, ...], total: Any, state: FitState) -> tuple[FitState, Any]:
        state, losses = jax.lax.scan(lambda state, _: one(sources, total, state), state, None, length=chunk)
        return state, jnp.mean(losses)

    return jax.jit(one if chunk == 1 else chained)


def _save(checkpoint: Path | None, config: DenoiserConfig, settings: FitSettings, state: FitState) -> None:
    if checkpoint is not None:
        save_checkpoint(checkpoint, state, config, settings)
