"""The input specifications that image networks commonly use, and images translated between them."""

from dataclasses import MISSING, dataclass, fields, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from featviz.model import RANGES, InputSpec

# Label -> specification, for color images.
COLORED = {
    "[0,1]": InputSpec(size=(1, 1), **RANGES["unit"]),
    "[-1,1]": InputSpec(size=(1, 1), **RANGES["symmetric"]),
    "0..255": InputSpec(size=(1, 1), **RANGES["bytes"]),
    "ImageNet's mean and std": InputSpec(size=(1, 1), **RANGES["imagenet"]),
    "0..255 less Caffe's mean, BGR": InputSpec(size=(1, 1), **RANGES["caffe"]),
}
# Those that suit any number of channels.
PLAIN = ("[0,1]", "[-1,1]", "0..255")


@dataclass(frozen=True)
class Candidate:
    """An input specification and its label."""

    label: str
    spec: InputSpec

    @property
    def contrast(self) -> float:
        """The distance of the encoded white from the encoded black, mean over channels."""
        return float(np.mean(self.spec.scale / np.asarray(self.spec.std)))


def input_candidates(given: InputSpec) -> list[Candidate]:
    """The given specification, then the common ones, with both channel orders for color images.

    >>> [candidate.label for candidate in input_candidates(InputSpec(size=(28, 28), channels=1))]
    ['as given, [0,1]', '[-1,1]', '0..255']
    """
    known = {label: spec for label, spec in COLORED.items() if given.channels == 3 or label in PLAIN}
    others = {label: _with_encoding(given, spec) for label, spec in known.items()}
    if given.channels == 3:
        others |= {_reversed_label(label): reverse_channels(spec) for label, spec in others.items()}
    named = next((label for label, spec in others.items() if same_encoding(spec, given)), "")
    candidates = [Candidate("as given" + (f", {named}" if named else ""), given)]
    if given.channels == 3 and not any(same_encoding(spec, reverse_channels(given)) for spec in others.values()):
        others["as given, with the channel order reversed"] = reverse_channels(given)
    for label, spec in others.items():
        if not any(same_encoding(spec, candidate.spec) for candidate in candidates):
            candidates.append(Candidate(label, spec))
    return candidates


def reverse_channels(spec: InputSpec) -> InputSpec:
    """The same encoding of each color, with the channels in reverse order."""
    return replace(spec, bgr=not spec.bgr, mean=spec.mean[::-1], std=spec.std[::-1])


def same_encoding(one: InputSpec, other: InputSpec) -> bool:
    """Whether both give a network the same values."""
    colors = jnp.stack([jnp.zeros((1, 1, one.channels)), *jnp.eye(one.channels)[:, None, None]])
    return bool(np.allclose(_plain(one).encode(colors), _plain(other).encode(colors), rtol=1e-5, atol=1e-6))


def translate(images: Float[np.ndarray, "n h w c"], given: InputSpec, other: InputSpec) -> Float[np.ndarray, "n h w c"]:
    """Images that the given specification encodes as the other one encodes `images`; they may leave [0,1].

    >>> given, other = InputSpec(size=(1, 1), scale=255.0, bgr=True), InputSpec(size=(1, 1), mean=(0.5,))
    >>> images = np.full((1, 1, 1, 3), 0.25, np.float32)
    >>> given.encode(jnp.asarray(translate(images, given, other))).ravel().tolist()
    [-0.25, -0.25, -0.25]
    """
    encoded = np.asarray(_plain(other).encode(jnp.asarray(images)))
    mean, std = (np.broadcast_to(np.asarray(row, np.float32), given.channels) for row in (given.mean, given.std))
    images = (encoded * std + mean) / np.float32(given.scale)
    return images[..., ::-1] if given.bgr else images


def to_python(spec: InputSpec) -> str:
    """The Python expression of a specification.

    >>> to_python(InputSpec(size=(8, 8), mean=(0.5,)))
    'InputSpec(size=(8, 8), mean=(0.5,))'
    """
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    defaults = {field.name: field.default for field in fields(spec) if field.default is not MISSING}
    return f"InputSpec({', '.join(f'{n}={v!r}' for n, v in values.items() if n not in defaults or v != defaults[n])})"


def _with_encoding(given: InputSpec, common: InputSpec) -> InputSpec:
    """The given specification with the range and channel order of a common one."""
    return replace(given, scale=common.scale, mean=common.mean, std=common.std, bgr=common.bgr)


def _plain(spec: InputSpec) -> InputSpec:
    return replace(spec, multiple=1, channels_first=False)


def _reversed_label(label: str) -> str:
    return label.replace("BGR", "RGB") if "BGR" in label else f"{label}, BGR"
