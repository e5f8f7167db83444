"""MODEL as `package.module:function`: a network of the user's own code."""

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.model_argument import adapt
from featviz.cli.options.fixed_option import FixedFile
from featviz.cli.options.input_option import parse_input
from featviz.errors import FeatvizError, in_one_line, join_or, suggest

if TYPE_CHECKING:
    from featviz.model import Model


def load_user_network(
    name: str, weights: Path | None, *, input_words: str | None, fixed: Sequence[FixedFile] = ()
) -> "Model":
    """The network of that name, or of a function that returns one or is itself one; arguments as of `load_network`."""
    from featviz.model import FRAMEWORKS, Model, find_framework

    function = _import_value(name)
    framework = find_framework(function)
    if isinstance(function, Model) or (framework is not None and framework.holds_weights):
        # The network itself; a framework's can be called, but not to get it.
        function = partial(_same, function)
    elif not callable(function):
        raise click.UsageError(
            f"`{name}` is a value of type {type(function).__name__}; expected a network, or a function that returns one"
        )
    required = _required_arguments(function)
    if len(required) == 2:
        if fixed:
            raise click.UsageError(f"--fixed goes with a network of several inputs; `{name}` takes (weights, images)")
        return _from_function(function, name, weights, input_words)
    if weights is not None:
        raise click.UsageError(f"--weights goes with a network of the zoo; {name} returns its own")
    if required:
        raise click.UsageError(
            f"`{name}` takes {', '.join(required)}; expected a function without arguments, or of (weights, images)"
        )
    with _user_errors(name):
        network = function()
    if isinstance(network, Model):
        if input_words is not None:
            raise click.UsageError(f"--input goes with a network that is no Model yet; {name} returned a Model")
        if fixed:
            raise click.UsageError(f"--fixed goes with a network that is no Model yet; {name} returned a Model")
        return network if network.source else replace(network, source={"model": name})
    kind = type(network).__name__
    framework = find_framework(network)
    if framework is None or not framework.holds_weights:
        titles = join_or([known.title for known in FRAMEWORKS.values() if known.holds_weights])
        raise click.UsageError(
            f"`{name}` returned a value of type {kind}; expected a featviz Model, or a network of {titles}"
        )
    if input_words is None and not framework.declares_input:
        raise click.UsageError(f"`{name}` returned a value of type {kind}; expected --input, such as 224,imagenet,nchw")
    return adapt(framework, network, name, input_words, fixed)


def _import_value(name: str) -> Any:
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise click.UsageError(f"MODEL is `{name}`; expected package.module:function")
    sys.path.insert(0, os.getcwd())
    try:
        with _user_errors(module):
            imported = importlib.import_module(module)
    except ImportError as error:
        raise click.UsageError(f"`{name}` cannot be imported: {error}; expected package.module:function") from error
    try:
        function = getattr(imported, attribute)
    except AttributeError:
        known = [key for key, value in vars(imported).items() if callable(value) and not key.startswith("_")]
        hint = suggest(attribute, known) if known else "expected a module with functions"
        raise click.UsageError(f"`{module}` has no function `{attribute}`; {hint}") from None
    return function


def _same(network: Any) -> Any:
    return network


@contextlib.contextmanager
def _user_errors(name: str) -> Iterator[None]:
    """Names the user's own code in the errors that it raises; FeatvizError and ImportError stay as they are."""
    try:
        yield
    except (FeatvizError, ImportError):
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {in_one_line(error)}"
        raise FeatvizError(f"`{name}` failed: {message} (--debug prints the traceback)") from error


def _required_arguments(function: Callable[..., Any]) -> list[str]:
    """The positional arguments without a default: two of a network, `(weights, images)`, none of what returns one."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]


def _from_function(function: Callable[..., Any], name: str, weights: Path | None, input_words: str | None) -> "Model":
    import jax

    from featviz.adapters.function import from_function
    from featviz.zoo.weights.load import read_tree

    if weights is None or input_words is None:
        raise click.UsageError(
            f"`{name}` is a network, (weights, images); expected --weights FILE and --input, such as 224,imagenet"
        )
    with usage_errors():
        spec = parse_input(input_words)
        tree = jax.device_put(read_tree(weights))
    source = {"model": name, "weights": weights.name, "input": input_words}
    return from_function(function, tree, input=spec, source=source)
