"""The training of a sparse autoencoder on harvested activations, which can be stopped and continued."""

import hashlib
import json
import time
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.common.compilation import compiled
from featviz.common.files import delayed_interrupts
from featviz.common.progress import progress_bar
from featviz.dictionaries.fitting.activation_store import TRAIN, ActivationStore
from featviz.dictionaries.fitting.sae_checkpoints import load_sae_checkpoint, save_sae_checkpoint
from featviz.dictionaries.fitting.sae_step import SaeSettings, SaeState, StepFigures, init_sae, sae_step
from featviz.dictionaries.fitting.shuffled_rows import shuffled_batches
from featviz.dictionaries.fitting.trained_kinds import TRAINED
from featviz.dictionaries.kinds import Code
from featviz.errors import FeatvizError

# Seconds between two checkpoints.
CHECKPOINT_SECONDS = 60.0
# Steps between two looks at what is measured: the host waits for the device then.
LOOK_EVERY = 20
# Positions of which the mean and the variance are taken.
SAMPLE = 2**16
# Batches over which a threshold is fitted.
THRESHOLD_BATCHES = 64
# Arrays of the parameters that are as long as activations, and those that are their logarithm.
LENGTHS, LOGARITHMS = ("encoder_bias", "decoder_bias", "gate_bias"), ("log_threshold",)


class Scale(NamedTuple):
    """How activations are scaled for the training.

    Args:
      sample: activations, as they are.
      factor: with which their variance is that of independent units of variance 1.
    """

    sample: Float[np.ndarray, "n units"]
    factor: np.float32


def train_sae(
    store: ActivationStore, settings: SaeSettings, *, checkpoints: Path | None = None, progress: bool = True
) -> Code:
    """Trains an autoencoder; bitwise the same with and without a stop, on one machine.

    Args:
      store: of the activations.
      settings: of the training.
      checkpoints: a folder for the training's state, written once a minute, at the end, and on Ctrl-C; what is there of
        the same settings is continued. None for no such file.
      progress: whether to show a progress bar.

    Raises:
      FeatvizError: if the activations are all alike, or the loss is not finite.
      KeyboardInterrupt: on Ctrl-C, when the state is written.
    """
    scale = measure_scale(store)
    sample = jnp.asarray(scale.sample[: settings.batch] * scale.factor)
    state = init_sae(sample, settings)
    path = None if checkpoints is None else checkpoint_path(checkpoints, settings)
    if path is not None and path.exists():
        state = load_sae_checkpoint(path, state, settings)
    state = _train(store, settings, scale, state, path, progress=progress)
    threshold = _fit_threshold(store, settings, scale, state)
    return finish_code(state, settings, float(scale.factor), threshold)


def checkpoint_path(folder: Path, settings: SaeSettings) -> Path:
    """The file of a training's state: its name says the settings."""
    text = json.dumps(asdict(settings), sort_keys=True)
    return folder / f"training-{hashlib.sha256(text.encode()).hexdigest()[:12]}.safetensors"


def measure_scale(store: ActivationStore) -> Scale:
    """A sample of activations, of chunks evenly over the store, and the factor that scales them.

    Raises:
      FeatvizError: if they are all alike.
    """
    sample = np.random.default_rng(0).permutation(store.sample(SAMPLE))
    variance = float(np.mean(np.sum(np.square(sample - sample.mean(axis=0)), axis=1, dtype=np.float64)))
    if not variance > 0:
        raise FeatvizError(f"all activations of {store.attributes['layer']} are alike; expected some variance")
    return Scale(sample, np.float32(np.sqrt(store.units / variance)))


def finish_code(state: SaeState, settings: SaeSettings, factor: float, threshold: float) -> Code:
    """The code that takes activations as they are.

    Args:
      state: after the training.
      settings: of the training.
      factor: with which activations were scaled.
      threshold: that was fitted, of scaled activations.
    """
    parameters = {name: np.asarray(value) for name, value in state.parameters.items()}
    for name in LENGTHS:
        if name in parameters:
            parameters[name] = parameters[name] / np.float32(factor)
    for name in LOGARITHMS:
        if name in parameters:
            parameters[name] = parameters[name] - np.log(np.float32(factor))
    return TRAINED[settings.kind].finish(parameters, settings.k, threshold / factor)


def _train(
    store: ActivationStore,
    settings: SaeSettings,
    scale: Scale,
    state: SaeState,
    path: Path | None,
    *,
    progress: bool,
) -> SaeState:
    run, placed = _program(settings), _place(settings.batch)
    state = placed.replicate(state)
    done, saved = int(state.step), time.monotonic()
    batches = shuffled_batches(store, settings.batch, seed=settings.seed, start=done)
    bar = progress_bar(None, total=settings.steps, initial=done, unit="step", shown=progress)
    try:
        with closing(batches), bar:
            for step in range(done, settings.steps):
                args = (state, placed.split(next(batches) * scale.factor))
                state, figures = compiled(run, *args)(*args)
                bar.update(1)
                if (step + 1) % LOOK_EVERY == 0 or step + 1 == settings.steps:
                    bar.set_postfix_str(_describe(figures, settings, step + 1), refresh=False)
                if path is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                    save_sae_checkpoint(path, state, settings)
                    saved = time.monotonic()
    finally:
        # On Ctrl-C too.
        if path is not None and int(state.step) > done:
            with delayed_interrupts():
                save_sae_checkpoint(path, state, settings)
    return state


def _describe(figures: StepFigures, settings: SaeSettings, step: int) -> str:
    unexplained, l0, dead = float(figures.unexplained), float(figures.l0), int(figures.dead)
    if not np.isfinite(unexplained):
        raise FeatvizError(f"the loss is {unexplained} after {step} steps; expected a smaller `rate`")
    return f"explained {1 - unexplained:.3f}, L0 {l0:.1f}, dead {dead / settings.latents:.1%}"


def _fit_threshold(store: ActivationStore, settings: SaeSettings, scale: Scale, state: SaeState) -> float:
    """The mean of the smallest latents that batches keep (Bussmann et al. 2024); 0 for kinds without a threshold."""
    if not TRAINED[settings.kind].thresholded:
        return 0.0
    program = _threshold_program(settings)
    count = min(THRESHOLD_BATCHES, max(1, store.rows(TRAIN) // settings.batch))
    found = []
    with closing(shuffled_batches(store, settings.batch, seed=settings.seed)) as batches:
        for _ in range(count):
            args = (state.parameters, jnp.asarray(next(batches) * scale.factor))
            found.append(float(compiled(program, *args)(*args)))
    return float(np.mean(found))


# Kept, both: a further training with the same numbers compiles nothing.
@lru_cache(maxsize=4)
def _program(settings: SaeSettings) -> Any:
    return jax.jit(lambda state, inputs: sae_step(state, inputs, settings))


@lru_cache(maxsize=4)
def _threshold_program(settings: SaeSettings) -> Any:
    return jax.jit(lambda own, inputs: TRAINED[settings.kind].least_kept(own, inputs, settings.k))


class _Placement(NamedTuple):
    """Where a training's arrays lie: the state on every device, a batch spread over them."""

    everywhere: Any
    spread: Any

    def replicate(self, state: SaeState) -> SaeState:
        placed: SaeState = state if self.everywhere is None else jax.device_put(state, self.everywhere)
        return placed

    def split(self, inputs: Float[np.ndarray, "n units"]) -> Any:
        return jnp.asarray(inputs) if self.spread is None else jax.device_put(inputs, self.spread)


def _place(batch: int) -> _Placement:
    devices = jax.local_devices()
    if len(devices) == 1 or batch % len(devices):
        return _Placement(None, None)
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(devices), ("positions",))
    return _Placement(NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("positions")))
