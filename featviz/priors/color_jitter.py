"""Colors of photographs as another light and another camera would have given them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

# Standard deviations; half of the images stay as they are, so that the colors of photographs remain the commonest.
SHARE = 0.5
BRIGHTNESS = 0.05
CONTRAST = 0.15  # of its logarithm
SATURATION = 0.2  # of its logarithm
HUE = 0.07  # radians


def jitter_colors(key: PRNGKeyArray, image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """An image with slightly other brightness and contrast and, if it has three channels, saturation and hue.

    Args:
      key: of the random numbers.
      image: in [0,1]; the result can leave that range.
    """
    keys = jax.random.split(key, 2)
    brightness, contrast, saturation, hue = jax.random.truncated_normal(keys[0], -2.0, 2.0, (4,))
    mean = jnp.mean(image)
    changed = image
    if image.shape[-1] == 3:
        gray = jnp.full((3, 3), 1 / 3)
        # A turn about the axis of grays (Rodrigues), and a stretch away from it.
        axis = jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / jnp.sqrt(3.0)
        turn = jnp.cos(HUE * hue) * (jnp.eye(3) - gray) + jnp.sin(HUE * hue) * axis
        changed = image @ (gray + jnp.exp(SATURATION * saturation) * turn).T
    changed = (changed - mean) * jnp.exp(CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    return jnp.where(jax.random.bernoulli(keys[1], SHARE), changed, image)
