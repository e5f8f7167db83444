"""Step rules: optax transformations that keep an image smooth, small or sparse.

A step rule is an `Optimizer`, a link of a `Chain`. It works on images of pixels, (n, height, width, channels), so what
is optimized must be `Pixels` or `RawPixels`. Rules on the gradient stand before the optimizer in a chain; rules on
the image stand after it, and change the image that the step arrives at.

To add one, write it in a file of its own with `gradient_rule` or `image_rule`, and import it below. `STEPS`, its name
in `featviz.regularizers` and the tests of the contract follow from that line.
"""

from featviz.common.pieces import export_imports, list_pieces
from featviz.optimizers import Optimizer
from featviz.regularizers.steps.bilateral_filter import BilateralFilter as BilateralFilter
from featviz.regularizers.steps.blur_gradient import BlurGradient as BlurGradient
from featviz.regularizers.steps.blur_image import BlurImage as BlurImage
from featviz.regularizers.steps.clip_range import ClipRange as ClipRange
from featviz.regularizers.steps.clip_small import ClipSmallContributions as ClipSmallContributions
from featviz.regularizers.steps.clip_small import ClipSmallNorms as ClipSmallNorms
from featviz.regularizers.steps.decay import IMAGENET_MEAN as IMAGENET_MEAN
from featviz.regularizers.steps.decay import Decay as Decay
from featviz.regularizers.steps.norm_ball import NormBall as NormBall
from featviz.regularizers.steps.normalize_laplacian import NormalizeLaplacian as NormalizeLaplacian

STEPS = list_pieces(globals(), Optimizer)

export_imports(globals())
