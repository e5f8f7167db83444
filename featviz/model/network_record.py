"""What stores keep of their network, and whether it is the one at hand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from featviz.model.fingerprints import hash_weights
from featviz.model.latent_layers import dictionary_of

if TYPE_CHECKING:
    from featviz.model.model import Model

# How the network is found again: what is there has its name and its weights' hash.
PLACES = ("model", "weights", "dictionary")


def record_network(model: "Model") -> dict[str, Any]:
    """The name, the source and the weights' hash; of layers of latents what is not in arrays, such as a TopK's k.

    >>> import featviz as fv
    >>> sorted(record_network(fv.load("patterns")))
    ['model', 'name', 'weights_sha256']
    """
    latents = {layer.name: str(dictionary_of(model, layer.name)) for layer in model.layers if layer.latents}
    record = {"name": model.name, **dict(model.source), "weights_sha256": hash_weights(model.weights)}
    return {**record, "latents": latents} if latents else record


def same_network(stored: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether two records are of one network, whatever its files are called.

    >>> first = {"name": "net", "weights": "a.safetensors", "weights_sha256": "5e60"}
    >>> same_network(first, {**first, "weights": "b.safetensors"}), same_network(first, {**first, "name": "other"})
    (True, False)
    """
    # A store of an earlier version does not say what its latents are.
    names = (set(stored) | set(given)) - {*PLACES, *(() if "latents" in stored else ("latents",))}
    return all(stored.get(name) == given.get(name) for name in names)


def name_network(record: Mapping[str, Any]) -> str:
    """A record in a few words.

    >>> name_network({"name": "net", "weights_sha256": "5e602c76" * 8, "latents": {"a/latents": "<Dictionary>"}})
    'net (5e602c76), a/latents <Dictionary>'
    """
    latents = [f"{name} {text}" for name, text in record.get("latents", {}).items()]
    return ", ".join([f"{record['name']} ({record['weights_sha256'][:8]})", *latents])
