"""Which network a command works on: MODEL, --weights, --input, --fixed, --classes, --dictionary and --edit."""

import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.dictionary_options import add_dictionaries, dictionary_option, split_dictionary
from featviz.cli.options.edit_option import add_edits, edit_option
from featviz.cli.options.fixed_option import FixedFile, fixed_option, parse_fixed
from featviz.cli.options.input_option import input_option
from featviz.cli.options.option_group import PATH, option_group
from featviz.errors import FeatvizError, in_one_line
from featviz.zoo.weights.recorded_weights import PREFIX

if TYPE_CHECKING:
    from featviz.model import Model


@dataclass(frozen=True)
class NetworkChoice:
    """The network that the options name; `model` is None where it is optional and not given."""

    model: str | None
    weights: Path | None
    input_words: str | None
    fixed: tuple[FixedFile, ...] = ()
    classes: Path | None = None
    dictionaries: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()

    def load(self, *, recorded: Mapping[str, str] | None = None) -> "Model":
        """The network, with the names of its classes, the latents of its dictionaries and its edits.

        Args:
          recorded: the network of a survey or an atlas, as `Model.source` has it, which is loaded where no other is
            given, with what was said for it.

        Raises:
          click.UsageError: if the options name no network.
          FeatvizError: if its weights or the user's own code fail.
        """
        from featviz.cli.model_argument import load_network

        choice = self if recorded is None else self.with_recorded(recorded)
        assert choice.model is not None
        network = load_network(choice.model, choice.weights, input_words=choice.input_words, fixed=choice.fixed)
        with usage_errors():
            network = network if choice.classes is None else name_classes(network, choice.classes)
            return add_edits(add_dictionaries(network, choice.dictionaries), choice.edits)

    def with_recorded(self, recorded: Mapping[str, str]) -> "NetworkChoice":
        """The choice with what a record says of the same network, where nothing else is given.

        Records name files by their base names: those that lie in the current folder are taken.

        Args:
          recorded: `Model.source` of the record.
        """
        name = self.model or recorded.get("model")
        if name != recorded.get("model"):
            return self
        weights = recorded.get("weights", "")
        fixed = tuple(map(parse_fixed, shlex.split(recorded.get("fixed", ""))))
        dictionaries = tuple(shlex.split(recorded.get("dictionary", "")))
        found = all(path.is_file() for _, path in fixed)
        known = all(Path(split_dictionary(text)[1]).exists() for text in dictionaries)
        return dataclasses.replace(
            self,
            model=name,
            weights=self.weights or (Path(weights) if weights.startswith(PREFIX) or _is_file(weights) else None),
            input_words=self.input_words or recorded.get("input"),
            fixed=self.fixed or (fixed if found else ()),
            dictionaries=self.dictionaries or (dictionaries if known else ()),
            edits=self.edits or tuple(shlex.split(recorded.get("edit", ""))),
        )


model_argument = click.argument("model")
# Where a survey or an atlas says itself which network of the zoo it is of.
model_option = click.option(
    "--model", metavar="MODEL", help="Take this network if it is not of the zoo: package.module:function."
)
weights_option = click.option(
    "--weights",
    type=PATH,
    metavar="FILE",
    help="Read the network's weights from FILE: safetensors, .pth, .caffemodel or .h5; or from a repository of Hugging "
    "Face, hf-hub:OWNER/REPOSITORY.",
)
classes_option = click.option(
    "--classes", type=PATH, metavar="FILE", help="Read the names of the classes from FILE: text, one a line, or JSON."
)

# Of every network; a network may have no classes.
_OPTIONS = (weights_option, input_option, fixed_option)
network_options = option_group("network", NetworkChoice, model_argument, *_OPTIONS, dictionary_option, edit_option)
classified_network_options = option_group(
    "network", NetworkChoice, model_argument, *_OPTIONS, classes_option, dictionary_option, edit_option
)
recorded_network_options = option_group(
    "network", NetworkChoice, model_option, *_OPTIONS, dictionary_option, edit_option
)
recorded_classified_network_options = option_group(
    "network", NetworkChoice, model_option, *_OPTIONS, classes_option, dictionary_option, edit_option
)
# Where a command can do without a network.
optional_classified_network_options = option_group(
    "network",
    NetworkChoice,
    click.argument("model", required=False),
    *_OPTIONS,
    classes_option,
    dictionary_option,
    edit_option,
)
# Where the network is there only to be compared with.
optional_network_options = option_group("network", NetworkChoice, click.argument("model", required=False), *_OPTIONS)


def _is_file(name: str) -> bool:
    return bool(name) and Path(name).is_file()


def name_classes(model: "Model", path: Path) -> "Model":
    """The model with the names of its classes from a file.

    Args:
      path: a text file with a name on each line, a JSON list, or JSON of the form {"0": [id, name], ...}.

    Raises:
      FeatvizError: if the file cannot be read, or does not have one name for each output of the network.
    """
    try:
        text = path.read_text("utf-8")
        listed = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
        if isinstance(listed, dict):
            listed = [listed[str(index)] for index in range(len(listed))]
        names = tuple(entry[-1] if isinstance(entry, list) else entry for entry in listed)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FeatvizError(f"--classes: `{path.name}` cannot be read: {in_one_line(error)}") from None
    if not all(isinstance(name, str) for name in names):
        raise FeatvizError(f"--classes: `{path.name}` has entries that are no text; expected names of classes")
    from featviz.model import output_units

    units = output_units(model)
    if len(names) != units:
        raise FeatvizError(f"--classes: `{path.name}` has {len(names)} names; {model.name} has {units} classes")
    return dataclasses.replace(model, classes=names)
