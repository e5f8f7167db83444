"""Fingerprints of a network: SHA-256 of its architecture, which is its traced program, and of its weights."""

import hashlib
import re
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from featviz.model.model import Model, Weights


def hash_architecture(model: Model, *, size: tuple[int, int] | None = None) -> str:
    """SHA-256 of a network's traced program and of its activations' names, in hexadecimal.

    Weights do not enter, constants within the program do. Equal for equal networks in every process, for one version
    of JAX.

    Args:
        model: The network.
        size: Height and width of the images that it is traced for, by default those of its training.
    """
    leaves, structure = jax.tree.flatten(model.weights)
    weights = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype) for leaf in leaves])
    image = jax.ShapeDtypeStruct((1, *(model.input.size if size is None else size), model.input.channels), jnp.float32)
    closed, shape = jax.make_jaxpr(lambda w, images: model.apply(w, images), return_shape=True)(weights, image)
    total = hashlib.sha256(str(jax.tree.structure(shape)).encode())
    for text in _spell(closed):
        total.update(text.encode())
    return total.hexdigest()


def hash_weights(weights: Weights) -> str:
    """SHA-256 over the names, shapes, dtypes and bytes of all arrays of a pytree, in hexadecimal.

    >>> hash_weights({"a": np.zeros(2, np.float32)})[:8]
    '5e602c76'
    """
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        array = np.asarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape};".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _spell(value: object) -> Iterator[str]:
    """A jaxpr, or a parameter of its equations, as text: variables numbered in order, arrays replaced by their hashes.

    JAX's own printing does not serve: it depends on which inner jaxprs are one object, and so on what was traced
    before.
    """
    if isinstance(value, core.ClosedJaxpr):
        yield f"consts {hash_weights(list(value.consts))};"
        # They are one type since JAX 0.12.
        if value.jaxpr is not value:
            yield from _spell(value.jaxpr)
            return
    if isinstance(value, core.Jaxpr):
        indices = {var: index for index, var in enumerate((*value.constvars, *value.invars))}
        yield f"in {[str(var.aval) for var in indices]};"
        for equation in value.eqns:
            yield f"{equation.primitive.name} {[_spell_atom(atom, indices) for atom in equation.invars]} "
            for name, parameter in sorted(equation.params.items()):
                yield f"{name}="
                yield from _spell(parameter)
            indices |= {var: len(indices) + offset for offset, var in enumerate(equation.outvars)}
            yield f"-> {[str(var.aval) for var in equation.outvars]};"
        yield f"out {[_spell_atom(atom, indices) for atom in value.outvars]};"
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _spell(item)
    elif isinstance(value, np.ndarray | jax.Array):
        yield hash_weights([value])
    else:
        # Functions print with their address in memory.
        yield type(value).__name__ if callable(value) else re.sub(r" at 0x[0-9a-f]+", "", str(value))


def _spell_atom(atom: core.Var | core.Literal, indices: Mapping[core.Var, int]) -> str:
    return hash_weights([atom.val]) if isinstance(atom, core.Literal) else str(indices[atom])
