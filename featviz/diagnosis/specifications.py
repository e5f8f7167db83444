"""How networks of three channels usually take their images, and how one is shown images as another would take them."""

from dataclasses import MISSING, dataclass, fields, replace

import jax.numpy as jnp
import numpy as np

from featviz.model import RANGES, InputSpec

# By the words for people.
COLORED = {
    "[0,1]": InputSpec(size=(1, 1), **RANGES["unit"]),
    "[-1,1]": InputSpec(size=(1, 1), **RANGES["symmetric"]),
    "0..255": InputSpec(size=(1, 1), **RANGES["bytes"]),
    "ImageNet's mean and std": InputSpec(size=(1, 1), **RANGES["imagenet"]),
    "0..255 less Caffe's mean, BGR": InputSpec(size=(1, 1), **RANGES["caffe"]),
}
# Of any number of channels: gray, or several bands.
PLAIN = ("[0,1]", "[-1,1]", "0..255")


@dataclass(frozen=True)
class Candidate:
    """An input specification, in words."""

    label: str
    spec: InputSpec

    @property
    def contrast(self) -> float:
        """How far apart the network's inputs for black and for white lie, the mean over channels."""
        return float(np.mean(self.spec.scale / np.asarray(self.spec.std)))


def candidates(own: InputSpec) -> list[Candidate]:
    """The network's own specification, then the likely others, with both orders of the channels where there are three.

    >>> [each.label for each in candidates(InputSpec(size=(28, 28), channels=1))]
    ['as given, [0,1]', '[-1,1]', '0..255']
    """
    known = {label: spec for label, spec in COLORED.items() if own.channels == 3 or label in PLAIN}
    others = {label: _of(own, spec) for label, spec in known.items()}
    if own.channels == 3:
        others |= {_swap_label(label): swap(spec) for label, spec in others.items()}
    named = next((label for label, spec in others.items() if same(spec, own)), "")
    found = [Candidate("as given" + (f", {named}" if named else ""), own)]
    if own.channels == 3 and not any(same(spec, swap(own)) for spec in others.values()):
        others["as given, with the channels' order reversed"] = swap(own)
    for label, spec in others.items():
        if not any(same(spec, each.spec) for each in found):
            found.append(Candidate(label, spec))
    return found


def swap(spec: InputSpec) -> InputSpec:
    """The same for each color, the colors in the other order."""
    return replace(spec, bgr=not spec.bgr, mean=spec.mean[::-1], std=spec.std[::-1])


def same(one: InputSpec, other: InputSpec) -> bool:
    """Whether both give a network the same numbers."""
    ends = jnp.stack([jnp.zeros((1, 1, one.channels)), *jnp.eye(one.channels)[:, None, None]])
    return bool(np.allclose(_plain(one).encode(ends), _plain(other).encode(ends), rtol=1e-5, atol=1e-6))


def translate(images: np.ndarray, own: InputSpec, other: InputSpec) -> np.ndarray:
    """Images that a network of its own specification takes as `images` by the other one; they may leave [0,1].

    >>> own, other = InputSpec(size=(1, 1), scale=255.0, bgr=True), InputSpec(size=(1, 1), mean=(0.5,))
    >>> images = np.full((1, 1, 1, 3), 0.25, np.float32)
    >>> own.encode(jnp.asarray(translate(images, own, other))).ravel().tolist()
    [-0.25, -0.25, -0.25]
    """
    encoded = np.asarray(_plain(other).encode(jnp.asarray(images)))
    mean, std = (np.broadcast_to(np.asarray(row, np.float32), own.channels) for row in (own.mean, own.std))
    images = (encoded * std + mean) / np.float32(own.scale)
    return images[..., ::-1] if own.bgr else images


def write(spec: InputSpec) -> str:
    """The line of Python that makes a specification.

    >>> write(InputSpec(size=(8, 8), mean=(0.5,)))
    'InputSpec(size=(8, 8), mean=(0.5,))'
    """
    own = {each.name: getattr(spec, each.name) for each in fields(spec)}
    defaults = {each.name: each.default for each in fields(spec) if each.default is not MISSING}
    return f"InputSpec({', '.join(f'{n}={v!r}' for n, v in own.items() if n not in defaults or v != defaults[n])})"


def _of(own: InputSpec, likely: InputSpec) -> InputSpec:
    """The range and order of a likely specification, with the network's own size and axes."""
    return replace(own, scale=likely.scale, mean=likely.mean, std=likely.std, bgr=likely.bgr)


def _plain(spec: InputSpec) -> InputSpec:
    return replace(spec, multiple=1, channels_first=False)


def _swap_label(label: str) -> str:
    return label.replace("BGR", "RGB") if "BGR" in label else f"{label}, BGR"
