"""How each kind of sparse autoencoder is trained: its parameters, its loss, and the code that it becomes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.dictionaries.fitting.jump import jump_relu, step_at
from featviz.dictionaries.fitting.largest_values import keep_largest_values, kth_largest
from featviz.dictionaries.kinds import (
    BatchTopKSae,
    Code,
    GatedSae,
    JumpReluSae,
    MatryoshkaSae,
    ReluSae,
    TopKSae,
)

# By name: `encoder` (units, latents), `encoder_bias`, `decoder` (latents, units), `decoder_bias`, and what a kind adds.
Parameters = dict[str, Array]
# The nested groups of a Matryoshka autoencoder, shares of all latents (Bussmann et al. 2025; dictionary_learning).
GROUPS = (1 / 32, 1 / 16, 1 / 8, 1 / 4)

# The weight of the penalty by which k latents of a JumpReLU fire.
TARGET = 5.0


class Pass(NamedTuple):
    """A batch through an autoencoder.

    Args:
      latents: of each position.
      pre_activations: before what makes them sparse, which revives latents that never fire.
      reconstruction: of each position, by all latents.
      loss: of the reconstruction, a share of the variance.
      penalty: of latents that fire; the training regulates its weight.
    """

    latents: Float[Array, "n latents"]
    pre_activations: Float[Array, "n latents"]
    reconstruction: Float[Array, "n units"]
    loss: Float[Array, ""]
    penalty: Float[Array, ""]


class TrainedKind(ABC):
    """A kind of autoencoder in training. Inputs have the variance of `units` independent ones."""

    # Whether the weight of a penalty is regulated until k latents fire at a position.
    regulated: ClassVar[bool] = False
    # Whether a threshold is fitted after the training, the mean of `least_kept` over batches.
    thresholded: ClassVar[bool] = False

    def extend(self, parameters: Parameters, sample: Float[Array, "n units"], k: int) -> Parameters:
        """The parameters with those of the kind, which may be fitted to a sample of inputs."""
        return parameters

    @abstractmethod
    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        """A batch through the autoencoder."""

    def least_kept(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Float[Array, ""]:
        """The smallest latent that a batch keeps, for kinds that are `thresholded`."""
        return jnp.float32(0)

    @abstractmethod
    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        """The code of trained parameters."""


class Relu(TrainedKind):
    """z = relu(a), with an L1 penalty (Bricken et al. 2023)."""

    regulated = True

    def extend(self, parameters: Parameters, sample: Float[Array, "n units"], k: int) -> Parameters:
        # Half of all latents fire at first, which together are to be no longer than what they reconstruct.
        latents, units = parameters["decoder"].shape
        return {**parameters, "encoder": parameters["encoder"] * min(1.0, 2 * units / latents)}

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        pre = pre_activations(parameters, inputs)
        latents = jnp.maximum(pre, 0)
        found = decode(parameters, latents)
        return Pass(latents, pre, found, unexplained(inputs, found), jnp.mean(jnp.sum(latents, 1)) / inputs.shape[1])

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        return ReluSae(**parameters)


class TopK(TrainedKind):
    """z = the k largest of relu(a) at each position (Gao et al. 2024)."""

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        pre = pre_activations(parameters, inputs)
        latents = keep_largest_values(jnp.maximum(pre, 0), k, rows=True)
        found = decode(parameters, latents)
        return Pass(latents, pre, found, unexplained(inputs, found), jnp.float32(0))

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        return TopKSae(**parameters, k=k)


class BatchTopK(TrainedKind):
    """z = the k n largest of relu(a) of a batch of n positions (Bussmann et al. 2024)."""

    thresholded = True

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        pre = pre_activations(parameters, inputs)
        latents = keep_largest_values(jnp.maximum(pre, 0), k * inputs.shape[0], rows=False)
        found = decode(parameters, latents)
        return Pass(latents, pre, found, unexplained(inputs, found), jnp.float32(0))

    def least_kept(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Float[Array, ""]:
        return kth_largest(jnp.maximum(pre_activations(parameters, inputs), 0), k * inputs.shape[0], rows=False)

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        return BatchTopKSae(**parameters, threshold=np.asarray(threshold, np.float32), k=k)


class Matryoshka(BatchTopK):
    """BatchTopK whose first latents reconstruct by themselves: a mean loss of nested groups (Bussmann et al. 2025)."""

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        pre = pre_activations(parameters, inputs)
        latents = keep_largest_values(jnp.maximum(pre, 0), k * inputs.shape[0], rows=False)
        found, losses = parameters["decoder_bias"][None], []
        for start, stop in pairwise(accumulate(group_sizes(latents.shape[1]), initial=0)):
            found = found + latents[:, start:stop] @ parameters["decoder"][start:stop]
            losses.append(unexplained(inputs, found))
        return Pass(latents, pre, found, jnp.mean(jnp.stack(losses)), jnp.float32(0))

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        inner = BatchTopKSae(**parameters, threshold=np.asarray(threshold, np.float32), k=k)
        return MatryoshkaSae(autoencoder=inner, groups=group_sizes(inner.latents))


class JumpRelu(TrainedKind):
    """z = relu(a) where a > threshold, with a penalty on how far from k of them fire (Rajamanoharan et al. 2024)."""

    def extend(self, parameters: Parameters, sample: Float[Array, "n units"], k: int) -> Parameters:
        # The threshold begins where k latents fire: from a small one it would take thousands of steps to get there.
        pre = jnp.maximum(pre_activations(parameters, sample), 0)
        least = jnp.maximum(kth_largest(pre, k * sample.shape[0], rows=False), 1e-3)
        return {**parameters, "log_threshold": jnp.full(pre.shape[1], jnp.log(least))}

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        pre = pre_activations(parameters, inputs)
        threshold = jnp.exp(parameters["log_threshold"])
        latents = jump_relu(pre, threshold)
        found = decode(parameters, latents)
        # A square, which raises thresholds where too many fire and lowers them where too few do.
        excess = jnp.mean(jnp.sum(step_at(pre, threshold), axis=1)) / k - 1
        loss = unexplained(inputs, found) + TARGET * k / inputs.shape[1] * jnp.square(excess)
        return Pass(latents, pre, found, loss, jnp.float32(0))

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        own = dict(parameters)
        return JumpReluSae(threshold=np.exp(own.pop("log_threshold")), **own)


class Gated(TrainedKind):
    """A gate decides whether a latent fires, a magnitude how much (Rajamanoharan et al. 2024, Improving Dictionary
    Learning with Gated Sparse Autoencoders): the penalty is on the gate, which also reconstructs by itself."""

    regulated = True

    def extend(self, parameters: Parameters, sample: Float[Array, "n units"], k: int) -> Parameters:
        zeros = jnp.zeros_like(parameters["encoder_bias"])
        return {**Relu().extend(parameters, sample, k), "magnitude": zeros, "gate_bias": zeros}

    def run(self, parameters: Parameters, inputs: Float[Array, "n units"], k: int) -> Pass:
        projections = project(parameters, inputs)
        gate = projections + parameters["gate_bias"][None]
        magnitude = projections * jnp.exp(parameters["magnitude"])[None] + parameters["encoder_bias"][None]
        latents = jnp.where(gate > 0, jnp.maximum(magnitude, 0), 0)
        found = decode(parameters, latents)
        opened = jnp.maximum(gate, 0)
        frozen = {name: jax.lax.stop_gradient(parameters[name]) for name in ("decoder", "decoder_bias")}
        loss = unexplained(inputs, found) + unexplained(inputs, decode(frozen, opened))
        return Pass(latents, gate, found, loss, jnp.mean(jnp.sum(opened, axis=1)) / inputs.shape[1])

    def finish(self, parameters: Mapping[str, Any], k: int, threshold: float) -> Code:
        return GatedSae(**parameters)


# By the name of the kind that a training makes.
TRAINED: Mapping[str, TrainedKind] = MappingProxyType(
    {
        "relu": Relu(),
        "topk": TopK(),
        "batch_topk": BatchTopK(),
        "jump_relu": JumpRelu(),
        "gated": Gated(),
        "matryoshka": Matryoshka(),
    }
)


def project(parameters: Parameters, inputs: Float[Array, "n units"]) -> Float[Array, "n latents"]:
    """(x - decoder_bias) encoder.

    The bias gets its gradient through a vector of zeros: through x - decoder_bias it would take a product as large as
    the layer's.
    """
    bias, encoder = parameters["decoder_bias"], parameters["encoder"]
    frozen = jax.lax.stop_gradient(bias)
    return (inputs - frozen[None]) @ encoder + ((frozen - bias) @ encoder)[None]


def pre_activations(parameters: Parameters, inputs: Float[Array, "n units"]) -> Float[Array, "n latents"]:
    """(x - decoder_bias) encoder + encoder_bias."""
    return project(parameters, inputs) + parameters["encoder_bias"][None]


def decode(parameters: Parameters, latents: Float[Array, "n latents"]) -> Float[Array, "n units"]:
    """z decoder + decoder_bias."""
    return latents @ parameters["decoder"] + parameters["decoder_bias"][None]


def unexplained(inputs: Float[Array, "n units"], found: Float[Array, "n units"]) -> Float[Array, ""]:
    """The squared error of a reconstruction, a share of the variance."""
    return jnp.mean(jnp.square(inputs - found))


def group_sizes(latents: int) -> tuple[int, ...]:
    """How many latents each group of a Matryoshka autoencoder adds.

    >>> group_sizes(1024), group_sizes(12)
    ((32, 64, 128, 256, 544), (1, 3, 8))
    """
    sizes = [int(latents * share) for share in GROUPS if int(latents * share)]
    return (*sizes, latents - sum(sizes))
