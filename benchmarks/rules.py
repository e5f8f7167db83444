"""The speedup by each gradient rule: forward and gradient of single operations with and without it.

    python benchmarks/rules.py [--only pool,conv,norm,groups,dense] [--repeats 15] [--dtype float32]

Operations with the shapes of GoogLeNet, VGG, ResNet, MobileNet and ConvNeXt, for two images of 128 px and eight of 224
px. Each is compiled with the same options, without rules and with the one rule; the two run in turns, and medians are
compared.
Both return the output and the input's gradient for a given gradient of the output; what they compute from the kernel
alone is computed before, as in a render. Rules that are off on this backend
are measured too, and marked. The last lines name rules that are on and gain less than 1.05. Hardware: two CPU cores.
Expected: benchmarks/README.md.
"""

import argparse
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from timing import in_turns, with_prepared_weights

from featviz.gradients.convolution import phased_convolution
from featviz.gradients.dense_convolution import dense_convolution, pointwise_convolution
from featviz.gradients.max_pooling import indexed_max_pool
from featviz.gradients.power import constant_power
from featviz.gradients.rules import rules_for
from featviz.gradients.shifted_convolution import shifted_convolution
from featviz.tracing.evaluation import Rule, rewrite
from featviz.zoo.architectures.caffe_layers import local_response_norm

# (x, kernel) -> y; operations without a kernel get an empty one.
Operation = Callable[[jax.Array, jax.Array], jax.Array]
SETTINGS = ((2, 128), (8, 224))
MIN_GAIN = 1.05


class Kernel(NamedTuple):
    """A square kernel; `channels_first` holds for the image too."""

    size: int
    width: int
    groups: int = 1
    channels_first: bool = False

    def shape(self, channels: int) -> tuple[int, ...]:
        inputs = channels // self.groups
        if self.channels_first:
            return self.width, inputs, self.size, self.size
        return self.size, self.size, inputs, self.width


def pool(window: int, stride: int) -> tuple[Operation, None]:
    return lambda x, _: nn.max_pool(x, (window, window), strides=(stride, stride), padding="SAME"), None


def conv(
    size: int, stride: int, width: int, *, groups: int = 1, channels_first: bool = False
) -> tuple[Operation, Kernel]:
    axes = ("NCHW", "OIHW", "NCHW") if channels_first else ("NHWC", "HWIO", "NHWC")

    def run(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=axes, feature_group_count=groups
        )

    return run, Kernel(size, width, groups, channels_first)


def norm(beta: float) -> tuple[Operation, None]:
    return lambda x, _: local_response_norm(x, beta=beta), None


# Kind, name, rule, operation, image size / input size, channels.
CASES = [
    ("pool", "max pool 3x3/1", indexed_max_pool, pool(3, 1), 8, 192),
    ("pool", "max pool 3x3/1", indexed_max_pool, pool(3, 1), 16, 512),
    ("pool", "max pool 3x3/2", indexed_max_pool, pool(3, 2), 2, 64),
    ("pool", "max pool 3x3/2", indexed_max_pool, pool(3, 2), 8, 480),
    ("pool", "max pool 2x2/2", indexed_max_pool, pool(2, 2), 2, 128),
    ("pool", "max pool 5x5/1", indexed_max_pool, pool(5, 1), 16, 512),
    ("conv", "conv 7x7/2", phased_convolution, conv(7, 2, 64), 1, 3),
    ("conv", "conv 3x3/2", phased_convolution, conv(3, 2, 128), 4, 64),
    ("conv", "conv 3x3/2", phased_convolution, conv(3, 2, 64), 1, 3),
    ("conv", "conv 1x1/2", phased_convolution, conv(1, 2, 512), 8, 256),
    ("conv", "conv 2x2/2", phased_convolution, conv(2, 2, 192), 4, 96),
    ("conv", "conv 4x4/4", phased_convolution, conv(4, 4, 96), 1, 3),
    ("conv", "conv 16x16/16", phased_convolution, conv(16, 16, 192), 1, 3),
    ("norm", "LRN 5, ^-0.75", constant_power, norm(0.75), 4, 64),
    ("norm", "LRN 5, ^-0.75", constant_power, norm(0.75), 4, 192),
    ("norm", "LRN 5, ^-0.6", constant_power, norm(0.6), 4, 192),
    ("groups", "depthwise 3x3/1", shifted_convolution, conv(3, 1, 192, groups=192), 8, 192),
    ("groups", "depthwise 3x3/2", shifted_convolution, conv(3, 2, 192, groups=192), 4, 192),
    ("groups", "depthwise 5x5/1", shifted_convolution, conv(5, 1, 192, groups=192), 8, 192),
    ("groups", "depthwise 7x7/1", shifted_convolution, conv(7, 1, 96, groups=96), 4, 96),
    ("groups", "3x3/1 of fours", shifted_convolution, conv(3, 1, 128, groups=32), 4, 128),
    ("dense", "conv 1x1/1", pointwise_convolution, conv(1, 1, 256), 8, 512),
    ("dense", "1x1/1, first", pointwise_convolution, conv(1, 1, 256, channels_first=True), 8, 512),
    ("dense", "conv 3x3/1", dense_convolution, conv(3, 1, 128), 8, 128),
    ("dense", "3x3/1, first", dense_convolution, conv(3, 1, 128, channels_first=True), 8, 128),
    ("dense", "3x3/2, first", dense_convolution, conv(3, 2, 128, channels_first=True), 4, 128),
    ("dense", "3x3/1, first", dense_convolution, conv(3, 1, 256, channels_first=True), 16, 256),
]


def measure(
    operation: Operation,
    rule: Rule,
    shape: tuple[int, ...],
    kernel: Kernel | None,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Seconds without and with the rule. The kernel is an argument, as weights are."""

    def normal(seed: int, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.normal(jax.random.key(seed), shape).astype(options.dtype)

    x = jnp.transpose(normal(0, shape), (0, 3, 1, 2)) if kernel and kernel.channels_first else normal(0, shape)
    args = x, normal(1, kernel.shape(shape[-1]) if kernel else (0,))
    g = normal(2, jax.eval_shape(operation, *args).shape)
    run = rewrite(jax.make_jaxpr(operation)(*args), [rule])

    def both(function: Operation) -> Callable[[], tuple[jax.Array, jax.Array]]:
        def forward_and_gradient(kernel: jax.Array, x: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
            output, vjp = jax.vjp(lambda x: function(x, kernel), x)
            return output, vjp(g)[0]

        program, prepared = with_prepared_weights(forward_and_gradient, args[1], x, g)
        return lambda: program(prepared, x, g)

    calls = [both(operation), both(lambda *args: run(*args)[0])]
    plain, with_rule = in_turns(calls, repeats=options.repeats, min_seconds=options.min_seconds)
    return plain, with_rule


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = list(dict.fromkeys(case[0] for case in CASES))
    parser.add_argument("--only", default=",".join(kinds), help="Kinds of operations.")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--min-seconds", type=float, default=0.02, help="Minimum duration of a turn.")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args()
    device, on = jax.devices()[0], rules_for(jax.default_backend())
    print(f"{date.today()}, {device.platform} {device.device_kind}, jax {jax.__version__}, {options.dtype}\n")
    print(f"{'operation':15} {'input':>20} {'plain ms':>9} {'rule ms':>9} {'gain':>6}  rule")
    below = []
    for batch, size in SETTINGS:
        for kind, name, rule, (operation, kernel), divisor, channels in CASES:
            if kind not in options.only.split(","):
                continue
            shape = (batch, size // divisor, size // divisor, channels)
            plain, with_rule = measure(operation, rule, shape, kernel, options)
            text = " x ".join(map(str, shape))
            gain, label = plain / with_rule, rule.__name__ + ("" if rule in on else ", off on this backend")
            print(f"{name:15} {text:>20} {1e3 * plain:9.3f} {1e3 * with_rule:9.3f} {gain:6.2f}  {label}", flush=True)
            if rule in on and gain < MIN_GAIN:
                below.append(f"{rule.__name__}, {name} of {text}: {gain:.2f}")
    print(f"\non, but gain less than {MIN_GAIN}:", *(below or ["none"]), sep="\n  ")


if __name__ == "__main__":
    main()
