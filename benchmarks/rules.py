"""What each gradient rule gains: forward and gradient with it and without it, operation by operation.

    python benchmarks/rules.py [--only pool,conv,norm] [--repeats 15] [--dtype float32]

Operations of the shapes that they have in GoogLeNet, VGG, ResNet and ConvNeXt, for two images of 128 px and eight of
224 px. Each is compiled twice with the same options, plain and with the one rule; the two run in turns, and medians are
compared. Both return the output and the gradient of the input for a given gradient of the output. Rules that are off
on this backend are measured as well, and marked; where a rule that is on gains less than 1.05, the last lines say so.
"""

import argparse
from collections.abc import Callable
from datetime import date

import flax.linen as nn
import jax
from timing import compiled, in_turns

from featviz.gradients.convolution import phased_convolution
from featviz.gradients.max_pooling import indexed_max_pool
from featviz.gradients.power import constant_power
from featviz.gradients.rules import rules_for
from featviz.tracing.evaluation import Rule, rewrite
from featviz.zoo.architectures.caffe_layers import local_response_norm

# (x, kernel) -> y; what has no kernel gets an empty one.
Operation = Callable[[jax.Array, jax.Array], jax.Array]
SETTINGS = ((2, 128), (8, 224))
WORTH = 1.05


def pool(window: int, stride: int) -> tuple[Operation, None]:
    return lambda x, _: nn.max_pool(x, (window, window), strides=(stride, stride), padding="SAME"), None


def conv(size: int, stride: int, width: int) -> tuple[Operation, tuple[int, int]]:
    numbers = ("NHWC", "HWIO", "NHWC")
    return (
        lambda x, kernel: jax.lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=numbers)
    ), (size, width)


def norm(beta: float) -> tuple[Operation, None]:
    return lambda x, _: local_response_norm(x, beta=beta), None


# Kind, name, rule, operation, how many times smaller than the image its input is, its channels.
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
]


def measure(
    operation: Operation,
    rule: Rule,
    shape: tuple[int, ...],
    kernel: tuple[int, int] | None,
    options: argparse.Namespace,
) -> tuple[float, float]:
    """Seconds without and with the rule. The kernel is an argument, as weights are."""

    def drawn(number: int, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.normal(jax.random.key(number), shape).astype(options.dtype)

    size, width = kernel or (0, 0)
    args = drawn(0, shape), drawn(1, (size, size, shape[-1], width))
    g = drawn(2, jax.eval_shape(operation, *args).shape)
    run = rewrite(jax.make_jaxpr(operation)(*args), [rule])

    def both(function: Operation) -> Callable[[], tuple[jax.Array, jax.Array]]:
        def forward_and_gradient(x: jax.Array, kernel: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
            output, vjp = jax.vjp(lambda x: function(x, kernel), x)
            return output, vjp(g)[0]

        program = compiled(forward_and_gradient, *args, g)
        return lambda: program(*args, g)

    calls = [both(operation), both(lambda *args: run(*args)[0])]
    plain, ruled = in_turns(calls, repeats=options.repeats, least=options.least)
    return plain, ruled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = list(dict.fromkeys(case[0] for case in CASES))
    parser.add_argument("--only", default=",".join(kinds), help="Kinds of operations.")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--least", type=float, default=0.02, help="Seconds of a turn, at least.")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args()
    device, on = jax.devices()[0], rules_for(jax.default_backend())
    print(f"{date.today()}, {device.platform} {device.device_kind}, jax {jax.__version__}, {options.dtype}\n")
    print(f"{'operation':14} {'input':>20} {'plain ms':>9} {'ruled ms':>9} {'gain':>6}  rule")
    poor = []
    for batch, size in SETTINGS:
        for kind, name, rule, (operation, kernel), divisor, channels in CASES:
            if kind not in options.only.split(","):
                continue
            shape = (batch, size // divisor, size // divisor, channels)
            plain, ruled = measure(operation, rule, shape, kernel, options)
            text = " x ".join(map(str, shape))
            gain, label = plain / ruled, rule.__name__ + ("" if rule in on else ", off on this backend")
            print(f"{name:14} {text:>20} {1e3 * plain:9.3f} {1e3 * ruled:9.3f} {gain:6.2f}  {label}", flush=True)
            if rule in on and gain < WORTH:
                poor.append(f"{rule.__name__}, {name} of {text}: {gain:.2f}")
    print(f"\non, but gains less than {WORTH}:", *(poor or ["none"]), sep="\n  ")


if __name__ == "__main__":
    main()
