"""`featviz dictionary read FILE [MODEL [PHOTOS]]`: what a dictionary's file holds, and whether it fits a layer."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.dictionary_options import ReadingChoice, reading_options
from featviz.cli.options.network_options import NetworkChoice, optional_network_options
from featviz.cli.options.option_group import PATH
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.dictionaries import Dictionary


@click.command()
@click.argument("file")
@optional_network_options
@click.argument("photos", type=PATH, required=False)
@click.option("--layer", metavar="NAME", help="Check against this layer of MODEL.  [default: the one that FILE names]")
@reading_options
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="FILE",
    help="Write the dictionary as featviz's own .safetensors file, which says all of this itself.",
)
def read(
    file: str,
    network: NetworkChoice,
    photos: Path | None,
    layer: str | None,
    reading: ReadingChoice,
    out: Path | None,
) -> None:
    """Say what the dictionary in FILE is, and with MODEL and PHOTOS whether it fits a layer.

    FILE is a file or a folder of featviz, SAELens, saev, ViT-Prisma, overcomplete, dictionary_learning or arrays, or
    hf-hub:OWNER/REPOSITORY/FOLDER. Nothing in it is executed. PHOTOS is a folder of images; 32 are used. The exit
    status is 1 if the dictionary does not fit.
    """
    with usage_errors():
        if network.model is None and layer is not None:
            raise FeatvizError("--layer goes with MODEL")
        reading.check()
        dictionary = reading.load(file)
    for line in describe(dictionary):
        click.echo(line)
    if out is not None:
        from featviz.dictionaries import save_dictionary

        click.echo(str(save_dictionary(out, dictionary)))
    if network.model is None:
        return
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.dictionaries.layer_names import layer_of

    use_compilation_cache()
    model = network.load()
    name = layer_of(model, dictionary) if layer is None else layer
    model.with_dictionary(name, dictionary)
    click.echo(f"fits {name} of {model.name}: {dictionary.units} units")
    if photos is None:
        click.echo("give PHOTOS to see how much of its activations the dictionary reconstructs")
        return
    from featviz.dictionaries.check_dictionary import check_dictionary

    check = check_dictionary(model, name, dictionary, photos)
    for line in check.report.lines:
        click.echo(line)
    if check.faults:
        raise FeatvizError("; ".join(check.faults))


def describe(dictionary: "Dictionary") -> list[str]:
    """What a dictionary is, in lines."""
    record = dictionary.record
    facts = {
        "format": record.format,
        "kind": ", ".join(filter(None, (dictionary.code.title, dictionary.code.summary))),
        "size": f"{dictionary.units} units, {dictionary.latents:,} latents",
        "normalization": dictionary.normalization.summary,
        "network": record.model,
        "layer": record.layer,
        **dict(record.notes),
    }
    return [f"{name}: {value}" for name, value in facts.items() if value]
