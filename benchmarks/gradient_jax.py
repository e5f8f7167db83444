"""The JAX side of `gradient.py`: the gradient step of featviz and of plain JAX, on request.

Reads lines from stdin and answers each with one line of JSON: `list` with the variants and the FLOPs of the step, the
name of a variant with the seconds of one step, `value NAME` with the gradient's mean absolute value, `profile` with
shares of the cores' time in featviz's step.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from timing import compiled, gradient_flops, image_score, seconds

import featviz as fv
from featviz.gradients.rules import rules_for
from featviz.tracing.evaluation import Rule
from featviz.zoo.architectures import googlenet

# XLA's default compiler options.
DEFAULT: dict[str, str] = {}


def shifted(x: jax.Array) -> jax.Array:
    padded = jnp.pad(jnp.square(x), [(0, 0)] * 3 + [(2, 2)])
    power = sum(padded[..., offset : offset + x.shape[-1]] for offset in range(5))
    return x * (1.0 + (1e-4 / 5) * power) ** -0.75


def banded(x: jax.Array) -> jax.Array:
    channels = np.arange(x.shape[-1])
    band = (np.abs(channels[:, None] - channels) <= 2).astype(np.float32)
    return x * (1.0 + (1e-4 / 5) * (jnp.square(x) @ band)) ** -0.75


class Variants:
    """The variants of one step, each compiled on first use."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.model = fv.load("googlenet", weights=options.weights)
        # The same images as in PyTorch, where channels come first.
        images = np.random.default_rng(0).uniform(size=(options.batch, 3, options.size, options.size))
        self.images = jnp.asarray(images.transpose(0, 2, 3, 1), jnp.float32)
        self.weights = jax.device_put(self.model.weights)
        self.flops = gradient_flops(self.model, options.layer, self.images.shape)
        self.steps: dict[str, Callable[[], jax.Array]] = {}

    def names(self) -> dict[str, str]:
        """Variant -> its normalization, for PyTorch only."""
        rules = [f"without {rule.__name__}" for rule in rules_for(jax.default_backend())]
        variants = ["featviz", "options only", "rules only", *(rules if self.options.each_rule else []), "plain"]
        return dict.fromkeys([*variants, "plain, LRN shifted", "plain, LRN banded"], "")

    def build(self, name: str) -> Callable[[], jax.Array]:
        if name == "product":
            a = jnp.ones((2048, 2048))
            programs = [compiled(jnp.matmul, a, a, options=options) for options in (None, DEFAULT)]
            faster = min(programs, key=lambda program: min(seconds(lambda: program(a, a)) for _ in range(5)))
            return lambda: faster(a, a)
        rules = rules_for(jax.default_backend())
        if name in ("featviz", "rules only"):
            return self.step_of(rules, None if name == "featviz" else DEFAULT)
        if name.startswith("without "):
            return self.step_of([rule for rule in rules if rule.__name__ != name.removeprefix("without ")], None)
        norm = {"plain, LRN shifted": shifted, "plain, LRN banded": banded}.get(name, googlenet.local_response_norm)
        with mock.patch.object(googlenet, "local_response_norm", norm):
            return self.step_of((), None if name == "options only" else DEFAULT)

    def step_of(self, rules: Sequence[Rule], options: dict[str, str] | None) -> Callable[[], jax.Array]:
        score = image_score(self.model, self.options.layer, self.options.unit, rules=rules)
        program = compiled(jax.grad(score, argnums=1), self.weights, self.images, options=options)
        return lambda: program(self.weights, self.images)

    def step(self, name: str) -> Callable[[], jax.Array]:
        if name not in self.steps:
            self.steps[name] = self.build(name)
        return self.steps[name]

    def profile(self) -> dict[str, float]:
        """Shares of operations other than convolutions and products in featviz's step: the total and the five largest.

        By the names of XLA's operations, on a CPU only; their time on all threads divided by that of all cores.
        """
        if jax.default_backend() != "cpu":
            return {}
        step = self.step("featviz")
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                elapsed = seconds(step)
            data = jax.profiler.ProfileData.from_file(str(next(Path(folder).rglob("*.xplane.pb"))))
        spent: Counter[str] = Counter()
        for line in (line for plane in data.planes for line in plane.lines if line.name.startswith("tf_XLA")):
            for event in line.events:
                if re.fullmatch(r"[a-z_-]+(\.\d+)?", event.name) and not re.match("conv|dot", event.name):
                    spent[event.name.partition(".")[0]] += (
                        event.duration_ns / 1e9 / elapsed / len(os.sched_getaffinity(0))
                    )
        return {"all": spent.total(), **dict(spent.most_common(5))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--unit", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--each-rule", action="store_true")
    variants = Variants(parser.parse_args())
    for line in sys.stdin:
        request = line.strip()
        answer: Any
        if request == "list":
            answer = {"variants": variants.names(), "versions": f"jax {jax.__version__}", "flops": variants.flops}
        elif request == "profile":
            answer = variants.profile()
        elif request.startswith("value "):
            answer = float(jnp.mean(jnp.abs(variants.step(request.removeprefix("value "))())))
        else:
            answer = seconds(variants.step(request))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
