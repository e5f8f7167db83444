"""ONNX's recurrent layers over sequences (time, images, units): LSTM, GRU and the plain one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator

# A step: the gates' inputs, the recurrent weights and biases, the states before it; it gives the states behind it.
Step = Callable[..., tuple[Array, ...]]
FUNCTIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


def _lstm(
    call: Call, x: Array, weights: Array, biases: Array, peepholes: Array, functions: Any, h: Array, c: Array
) -> Any:
    gate, candidate, output = functions
    i, o, f, g = jnp.split(x + h @ weights.T + biases, 4, axis=-1)
    p_i, p_o, p_f = jnp.split(peepholes, 3)
    c = gate(f + p_f * c) * c + gate(i + p_i * c) * candidate(g)
    return gate(o + p_o * c) * output(c), c


def _gru(call: Call, x: Array, weights: Array, biases: Array, peepholes: Array, functions: Any, h: Array) -> Any:
    gate, candidate = functions
    size = h.shape[-1]
    x_gates, x_candidate = x[..., : 2 * size], x[..., 2 * size :]
    update, reset = jnp.split(gate(x_gates + h @ weights[: 2 * size].T + biases[: 2 * size]), 2, axis=-1)
    if call.get("linear_before_reset", 0):
        recurrent = reset * (h @ weights[2 * size :].T + biases[2 * size :])
    else:
        recurrent = (reset * h) @ weights[2 * size :].T + biases[2 * size :]
    return ((1 - update) * candidate(x_candidate + recurrent) + update * h,)


def _plain(call: Call, x: Array, weights: Array, biases: Array, peepholes: Array, functions: Any, h: Array) -> Any:
    return (functions[0](x + h @ weights.T + biases),)


def _recurrent(step: Step, gates: int, states: int, default: tuple[str, ...]) -> Operator:
    def run(call: Call) -> tuple[Array, ...]:
        x, weights, recurrent = (jnp.asarray(value) for value in call.inputs[:3])
        batch_first = bool(call.get("layout", 0))
        x = jnp.swapaxes(x, 0, 1) if batch_first else x
        directions, size = weights.shape[0], recurrent.shape[-1]
        lengths = call.static_ints(4)
        if lengths is not None and set(lengths) != {x.shape[0]}:
            raise ValueError("its sequences differ in length; expected all of the same")
        if call.get("clip", None) is not None or call.get("input_forget", 0):
            raise ValueError("it clips its gates, or couples them; expected an ordinary one")
        named = [name.lower() for name in call.get("activations", ()) or default * directions]
        if set(named) - FUNCTIONS.keys():
            raise ValueError(f"its activations are {', '.join(named)}; expected Sigmoid, Tanh or Relu")
        bias = call.input(3)
        bias = jnp.zeros((directions, 2 * gates * size)) if bias is None else jnp.asarray(bias)
        peepholes = call.input(7)
        peepholes = jnp.zeros((directions, 3 * size)) if peepholes is None else jnp.asarray(peepholes)
        initial = [call.input(5), call.input(6)][:states]
        outputs, last = [], []
        for index in range(directions):
            backward = call.get("direction", "forward") == "reverse" or index == 1
            functions = [FUNCTIONS[name] for name in named[index * len(default) :][: len(default)]]
            before = tuple(
                jnp.zeros((x.shape[1], size))
                if state is None
                else (jnp.asarray(state)[:, index] if batch_first else jnp.asarray(state)[index])
                for state in initial
            )
            inputs = x @ weights[index].T + bias[index, : gates * size]

            def one(state: tuple[Array, ...], part: Array, index: int = index, functions: Any = functions) -> Any:
                state = step(
                    call, part, recurrent[index], bias[index, gates * size :], peepholes[index], functions, *state
                )
                return state, state[0]

            after, sequence = lax.scan(one, before, inputs, reverse=backward)
            outputs.append(sequence)
            last.append(after)
        # (time, directions, images, units), and the states of (directions, images, units).
        all_steps = jnp.stack(outputs, 1)
        ends = [jnp.stack([each[state] for each in last]) for state in range(states)]
        if batch_first:
            all_steps, ends = jnp.moveaxis(all_steps, 2, 0), [jnp.swapaxes(end, 0, 1) for end in ends]
        return (all_steps, *ends)[: call.outputs]

    return run


RECURRENT: dict[str, Operator] = {
    "LSTM": _recurrent(_lstm, 4, 2, ("sigmoid", "tanh", "tanh")),
    "GRU": _recurrent(_gru, 3, 1, ("sigmoid", "tanh")),
    "RNN": _recurrent(_plain, 1, 1, ("tanh",)),
}
