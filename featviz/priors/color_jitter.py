"""Colors of photographs as another light and another camera would have given them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Standard deviations; half of the images stay as they are, so that the colors of photographs remain the commonest.
SHARE = 0.5
BRIGHTNESS = 0.05
CONTRAST = 0.15  # of its logarithm
SATURATION = 0.2  # of its logarithm
HUE = 0.07  # radians
# Random numbers that an image takes.
NUMBERS = 5


def jitter_colors(numbers: Float[Array, " k"], image: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
    """An image with slightly other brightness and contrast and, if it has three channels, saturation and hue.

    Args:
      numbers: `NUMBERS` of them, uniform in [0,1).
      image: in [0,1]; the result can leave that range.
    """
    # Normal within two standard deviations.
    brightness, contrast, saturation, hue = jax.scipy.special.ndtri(0.02275 + 0.9545 * numbers[1:])
    mean = jnp.mean(image)
    changed = image
    if image.shape[-1] == 3:
        gray = jnp.full((3, 3), 1 / 3)
        # A turn about the axis of grays (Rodrigues), and a stretch away from it.
        axis = jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / jnp.sqrt(3.0)
        turn = jnp.cos(HUE * hue) * (jnp.eye(3) - gray) + jnp.sin(HUE * hue) * axis
        changed = image @ (gray + jnp.exp(SATURATION * saturation) * turn).T
    changed = (changed - mean) * jnp.exp(CONTRAST * contrast) + mean + BRIGHTNESS * brightness
    return jnp.where(numbers[0] < SHARE, changed, image)
