"""Options of several commands: each is defined once, and reaches a command's function in one frozen value.

network_options = option_group("network", NetworkChoice, weights_option, input_option)

@click.command()
@network_options
def command(network: NetworkChoice) -> None: ...
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from featviz.errors import FeatvizError

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]
# The type of every option that names a file or a folder.
PATH = click.Path(path_type=Path)


def option_group(argument: str, kind: type[Any], *options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that adds options to a command and passes their values on as one argument.

    Args:
      argument: the argument of the command's function.
      kind: a frozen dataclass. Its fields have the names of the options' values; a field without an option keeps its
        default.
      options: decorators such as `click.option(...)` makes, in the order in which the help lists them.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Choice:
    ...     seed: int
    >>> @click.command()
    ... @option_group("choice", Choice, click.option("--seed", type=int))
    ... def show(choice: Choice) -> None:
    ...     print(choice)
    >>> show.main(["--seed", "7"], standalone_mode=False)
    Choice(seed=7)
    """
    names = [field.name for field in dataclasses.fields(kind)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(**values: Any) -> Any:
            chosen = {name: values.pop(name) for name in names if name in values}
            return function(**values, **{argument: kind(**chosen)})

        for option in reversed(options):
            option(call)
        return call

    return decorate


class Parsed(click.ParamType):
    """The type of an option whose text a function reads; what the function refuses is a usage error."""

    name = "text"

    def __init__(self, parse: Callable[[str], Any]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value that the text means; what is no text is a default, and stays."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except FeatvizError as error:
            raise click.UsageError(str(error)) from error
