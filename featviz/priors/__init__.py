"""Priors: what images of a kind look like, learned from a few hundred of them as a denoiser, and its training.

A denoiser D(y, sigma) is the expected image given a noisy one; (D(y, sigma) - y) / sigma^2 is the gradient of the
log-density of noisy images (Tweedie's formula), which is what a picture can be guided by. `Guided` and `Denoised` are
the ways: `Recipe.prior`.
"""

from featviz.priors.base import Prior as Prior
from featviz.priors.denoised import Denoised as Denoised
from featviz.priors.guided import Guided as Guided
