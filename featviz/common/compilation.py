"""Ahead-of-time compilation: the backend's options, one program for each set of shapes, and its memory."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from featviz.common.kept import kept_with_owner
from featviz.common.placement import is_placed
from featviz.common.program_store import load_or_compile_entry, load_program
from featviz.common.rare_collection import rare_collection
from featviz.common.shortcuts import find_shortcut, keep, recall

# XLA's CPU backend hands matrix products and convolutions to YNNPACK, which is up to three times faster for products
# and runs the large convolutions of image networks at half the speed of XLA's older ones: it gets products alone. XLA
# removes optimization barriers before it fuses loops, so that a depthwise convolution is computed again in each loop
# that reads it, five times in ConvNeXt; without that pass they hold (jax 0.10.2, benchmarks/networks.py).
OPTIONS = {
    "cpu": {
        "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
        "xla_disable_hlo_passes": "cse_barrier_expander",
    }
}
# For programs that run a few times, of which compilation is most of the time: the fewest steps, without the code
# generator for CPUs that takes longest.
QUICK = {"xla_backend_optimization_level": "0", "xla_cpu_use_fusion_emitters": "False"}
# For programs that run once: three quarters of the compilation of fresh lanes go into LLVM's last level, which unrolls
# the random numbers. The numbers are the same but for the last bit (tests/ascent/test_program_set_options.py).
ONCE = {"cpu": {"xla_backend_optimization_level": "2"}}
# Compiled programs of a network kept in memory, so that the next call for the same layer and size starts at once.
MAX_PROGRAMS = 40


@cache
def compiler_options(backend: str) -> dict[str, str]:
    """XLA's options for a backend, such as `cpu`, as far as this version of JAX knows them."""
    return _known(OPTIONS.get(backend, {}))


@cache
def quick_options() -> dict[str, str]:
    """XLA's options for programs that are compiled soon and run slowly, as far as this version of JAX knows them."""
    return _known(QUICK)


def few_runs_options(backend: str, *, quick: bool) -> dict[str, str]:
    """XLA's options for a program: the backend's, or such that what runs a few times on a CPU is compiled soon.

    Of GoogLeNet's attributions, compiled in 1 s in place of 4, a run takes .17 s in place of .09.
    """
    options = compiler_options(backend)
    return {**options, **quick_options()} if quick and backend == "cpu" else options


@cache
def once_options(backend: str) -> dict[str, str]:
    """XLA's options for programs that run once, as far as this version of JAX knows them."""
    return _known(ONCE.get(backend, {}))


def _known(options: Mapping[str, str]) -> dict[str, str]:
    """Those of some options that XLA has: each question is a compilation, so that all are asked about at once."""
    if not options or _are_known(options):
        return dict(options)
    return {name: value for name, value in options.items() if _are_known({name: value})}


def _are_known(options: Mapping[str, str]) -> bool:
    trivial = jax.jit(lambda x: x + 1).lower(jax.ShapeDtypeStruct((), np.float32))
    try:
        trivial.compile(compiler_options=dict(options))
    except RuntimeError:  # XLA has no such option
        return False
    return True


def compiled(
    function: Any,
    *args: Any,
    owner: Any = None,
    options: Mapping[str, str] | None = None,
    donated: tuple[int, ...] = (),
    **static: Any,
) -> Any:
    """The compiled program of a jitted function, made once for each set of shapes, dtypes, structures and shardings.

    Args:
      function: what `jax.jit` returns.
      args: arrays, or `jax.ShapeDtypeStruct` in their place; the program is called with arrays like them.
      owner: what the program is kept with, a network's `apply`; by default the function.
      options: XLA's options, by default those of the backend.
      donated: the positions of the arguments whose memory the program may use, where there are static ones.
      static: the function's static keyword arguments, hashable.

    >>> program = compiled(jax.jit(lambda x: 2 * x), np.zeros(3, np.float32))
    >>> program(np.ones(3, np.float32)).tolist()
    [2.0, 2.0, 2.0]
    """
    return traced(function, *args, owner=owner, options=options, donated=donated, **static).compiled()


def traced(
    function: Any,
    *args: Any,
    owner: Any = None,
    options: Mapping[str, str] | None = None,
    donated: tuple[int, ...] = (),
    **static: Any,
) -> "TracedProgram":
    """The same, traced but not yet compiled, which another thread may do meanwhile."""
    leaves, structure = jax.tree.flatten(args)
    # Arrays that are bound to no device follow those that are, as under `jax.jit`.
    bound = [isinstance(leaf, jax.ShapeDtypeStruct) or is_placed(leaf) for leaf in leaves]
    shapes = tuple(_abstract(leaf, keep or not any(bound)) for leaf, keep in zip(leaves, bound, strict=True))
    options = compiler_options(jax.default_backend()) if options is None else options
    owner = function if owner is None else owner
    # Sorted by name: the order in which a caller names them is no other program.
    arguments = tuple(sorted(static.items())), tuple(options.items())
    return _trace(owner, function, structure, shapes, *arguments, donated)


class TracedProgram:
    """A program before and after compilation, which is done once, by whichever thread asks first."""

    def __init__(self, compile: Callable[[], Any] | None, program: Any = None) -> None:
        self._compile, self._program = compile, program
        self._lock = threading.Lock()

    @property
    def is_compiled(self) -> bool:
        """Whether it is compiled already, in this process or another."""
        return self._compile is None

    def compiled(self) -> Any:
        """The compiled program."""
        with self._lock:
            if self._compile is not None:
                self._program = self._compile()
                # What it was traced from is needed no more.
                self._compile = None
            return self._program


def compile_together(programs: Iterable[TracedProgram]) -> None:
    """Compiles programs concurrently, each from when it is traced.

    Threads compile, which takes most of the time. This one traces, since what the user's code has set around the call,
    a precision say, holds for it alone.
    """
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(program.compiled) for program in programs]
    for program in waiting:
        program.result()


@kept_with_owner(maxsize=MAX_PROGRAMS)
@rare_collection()
def _trace(
    owner: Any,
    function: Any,
    structure: Any,
    leaves: tuple[Any, ...],
    static: tuple[tuple[str, Any], ...],
    options: tuple[tuple[str, str], ...],
    donated: tuple[int, ...],
) -> TracedProgram:
    args = jax.tree.unflatten(structure, leaves)
    shortcut = find_shortcut("program", (function, args, static, donated), options=dict(options))
    program = _load_known(recall(shortcut), args)
    if program is not None:
        return TracedProgram(None, program)
    if static:
        # A function of its own: JAX keeps what a jitted function was ever traced with, static arguments included.
        function = jax.jit(partial(function.__wrapped__, **dict(static)), donate_argnums=donated)
    lowered = function.lower(*args)

    def compile() -> Any:
        program, key = load_or_compile_entry(lowered, dict(options))
        if key is not None and lowered.in_tree == jax.tree.structure((args, {})):
            # Trees cannot be written, but what they are the structure of can.
            keep(shortcut, (key, jax.tree.unflatten(lowered.out_tree, range(lowered.out_tree.num_leaves))))
        return program

    return TracedProgram(compile)


def _load_known(known: Any, args: Any) -> Any:
    """The compiled program that a shortcut names, None without one."""
    if known is None:
        return None
    key, results = known
    return load_program(key, jax.tree.structure((args, {})), jax.tree.structure(results))


def _abstract(leaf: Any, keep_sharding: bool) -> jax.ShapeDtypeStruct:
    sharding = leaf.sharding if keep_sharding and isinstance(leaf, jax.Array | jax.ShapeDtypeStruct) else None
    return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype, sharding=sharding)


def program_memory(program: Any) -> int:
    """The bytes that a compiled program takes on each device: arguments, results and temporaries; 0 if unknown."""
    analysis = program.memory_analysis()
    if analysis is None:
        return 0
    return (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.temp_size_in_bytes
        - analysis.alias_size_in_bytes
    )
