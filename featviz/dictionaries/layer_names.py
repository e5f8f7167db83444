"""The layer of a network that a dictionary was fitted on, of the name that its file has for it."""

import re
from contextlib import suppress

import jax

from featviz.dictionaries.dictionary import Dictionary
from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights, network_alone

# TransformerLens's names: a block's output, and what its parts add.
HOOK = re.compile(r"(?:blocks|layers?)\.(\d+)\.hook_(resid_post|resid_pre|mlp_out|attn_out)$")
PARTS = {"resid_post": "", "resid_pre": "", "mlp_out": "mlp", "attn_out": "attn"}
# What lists of blocks are called.
LISTS = "blocks|layers?|resblocks|encoderblock|h"


def layer_of(model: Model, dictionary: Dictionary) -> str:
    """The layer of the model that the dictionary's record names.

    Args:
      model: the network.
      dictionary: its `record.layer` is a name of the model's, with dots or slashes, or one of TransformerLens's, such
        as `blocks.9.hook_resid_post`.

    Raises:
      FeatvizError: if the record names no layer, or no single one of the model's with as many units.

    >>> import featviz as fv, numpy as np
    >>> from featviz.dictionaries import DictionaryRecord
    >>> from featviz.dictionaries.kinds import KMeans
    >>> code = KMeans(centers=np.eye(3, 192, dtype=np.float32))
    >>> from featviz.zoo.registry import outline
    >>> layer_of(outline("deit_tiny"), Dictionary(code, record=DictionaryRecord(layer="blocks.6.hook_resid_post")))
    'blocks/6'
    """
    said = dictionary.record.layer
    fitting = [layer.name for layer in model.layers if layer.units == dictionary.units and not layer.latents]
    found = [name for name in fitting if name == said or _plain(name) == _plain(said)] if said else []
    found = found or [name for name in fitting if _is_hook(name, said)]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"`{name}`" for name in fitting[:4]) + (", ..." if len(fitting) > 4 else "")
    problem = f"says that its layer is `{said}`, which {model.name} lacks" if said else "does not say its layer"
    hint = (
        f"layers of {dictionary.units} units: {shown}"
        if fitting
        else f"no layer of {model.name} has {dictionary.units} units"
    )
    raise FeatvizError(f"the dictionary {problem}; expected a layer for it, by LAYER=FILE or --layer; {hint}")


def describe_origin(model: Model, layer: str, dictionary: Dictionary) -> str | None:
    """What speaks against a dictionary in a layer of as many units: it was fitted on another, or on other weights.

    Args:
      model: the network.
      layer: where the dictionary is put.
      dictionary: with what its file says of its origin.

    Returns:
      a few words, or None.
    """
    record = dictionary.record
    with suppress(FeatvizError):
        if record.layer and (own := layer_of(model, dictionary)) != model.layer(layer).name:
            return f"it was fitted on {own}, and is put into {layer}"
    weights = network_alone(model).weights
    # Of an outline only shapes are known.
    known = not any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(weights))
    if known and record.weights_sha256 not in ("", hash_weights(weights)):
        named = f" of {record.model}" if record.model and record.model != model.name else ""
        return f"it was fitted on other weights{named}"
    return None


def _plain(name: str) -> str:
    return re.sub(r"[/\[]", ".", name).replace("]", "")


def _is_hook(name: str, hook: str) -> bool:
    """Whether a layer is the one that TransformerLens has a hook at."""
    match = HOOK.search(hook)
    if match is None:
        return False
    block, part = int(match[1]) - (match[2] == "resid_pre"), PARTS[match[2]]
    end = rf"\.{part}" if part else ""
    return re.search(rf"(?:^|\.)(?:{LISTS})\.{block}{end}$", _plain(name)) is not None
