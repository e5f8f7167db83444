"""`--dictionary [LAYER=]FILE`: a layer of latents, wherever MODEL stands; and what its file does not say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.options.option_group import option_group
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.dictionaries import Dictionary
    from featviz.model import Model

# Of `KINDS` and `NORMALIZATIONS` of `featviz/dictionaries/`, those that a user can say; a test holds them to these.
KINDS = ("relu", "topk", "batch_topk", "jump_relu")
NORMALIZATIONS = ("none", "layer_norm", "constant_norm")

dictionary_option = click.option(
    "--dictionary",
    "dictionaries",
    multiple=True,
    metavar="[LAYER=]FILE",
    help="Add the layer LAYER/latents, the latents of the dictionary in FILE: a file or folder of featviz, SAELens, "
    "saev, ViT-Prisma, overcomplete, dictionary_learning or arrays, or hf-hub:OWNER/REPOSITORY/FOLDER. Without LAYER, "
    "the one that FILE names. The option may be repeated.",
)


@dataclass(frozen=True)
class ReadingChoice:
    """What a file of a dictionary does not say; None where it does."""

    kind: str | None
    k: int | None
    threshold: float | None
    centered: bool | None
    normalization: str | None

    def check(self) -> None:
        """Refuses what no file can have."""
        from featviz.dictionaries.formats.hints import Hints

        Hints(kind=self.kind, k=self.k, threshold=self.threshold)

    def load(self, path: str) -> "Dictionary":
        """The dictionary of a file.

        Raises:
          FeatvizError: if it cannot be read.
        """
        from featviz import dictionaries

        normalization = None if self.normalization is None else dictionaries.NORMALIZATIONS[self.normalization]()
        return dictionaries.load_dictionary(
            path,
            kind=self.kind,
            k=self.k,
            threshold=self.threshold,
            centered=self.centered,
            normalization=normalization,
        )


reading_options = option_group(
    "reading",
    ReadingChoice,
    click.option("--kind", type=click.Choice(KINDS), help="Take FILE as this kind, where it does not say."),
    click.option("-k", "k", type=int, metavar="K", help="Keep the K largest latents, where a TopK does not say."),
    click.option("--threshold", type=float, metavar="X", help="Keep latents above X, where a BatchTopK does not say."),
    click.option(
        "--centered/--not-centered",
        "centered",
        default=None,
        help="Subtract the decoder's bias before encoding, or do not.  [default: as the format does]",
    ),
    click.option(
        "--normalization",
        type=click.Choice(NORMALIZATIONS),
        help="Normalize activations so before encoding.  [default: as FILE says]",
    ),
)


def add_dictionaries(model: "Model", texts: Sequence[str]) -> "Model":
    """The model with a layer of latents for each dictionary; the second of one layer is `LAYER/latents2`, and so on.

    Args:
      model: the network.
      texts: `LAYER=FILE`, or `FILE`.

    Raises:
      FeatvizError: if a file cannot be read, or does not fit the layer.
    """
    if not texts:
        return model
    from featviz.dictionaries import load_dictionary
    from featviz.dictionaries.layer_names import describe_origin, layer_of
    from featviz.model.latent_layer import LATENTS

    for text in texts:
        layer, file = split_dictionary(text)
        try:
            dictionary = load_dictionary(file)
            layer = layer or layer_of(model, dictionary)
            note = describe_origin(model, layer, dictionary)
            known = {each.name for each in model.layers}
            numbers = (f"{layer}{LATENTS}{index if index > 1 else ''}" for index in range(1, len(known) + 2))
            model = model.with_dictionary(layer, dictionary, name=next(name for name in numbers if name not in known))
        except FeatvizError as error:
            raise FeatvizError(f"--dictionary: {error}") from None
        if note is not None:
            click.echo(f"featviz: --dictionary: `{Path(file).name}`: {note}", err=True)
    return model


def split_dictionary(text: str) -> tuple[str, str]:
    """The layer, "" where none is named, and the file.

    >>> split_dictionary("inception_4c=sae.safetensors"), split_dictionary("hf-hub:lab/saes")
    (('inception_4c', 'sae.safetensors'), ('', 'hf-hub:lab/saes'))
    """
    layer, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        return "", text
    if not layer or not file:
        raise FeatvizError(f"--dictionary is `{text}`; expected [LAYER=]FILE, such as inception_4c=sae.safetensors")
    return layer, file
