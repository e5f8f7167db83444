"""Transforms: random changes that a picture must survive, drawn anew for each lane, view and step.

A transform is a frozen dataclass, called with `(key, image, progress)`:

- `image` is one image, (h, w, c), with values in [0,1] that may lie beyond it. A transform never clips.
- The output's shape depends on the input's shape alone, so that a view compiles once.
- All randomness comes from `key`; the gradient with respect to the image is finite.

To add one, write it in a file of its own and import it below. `TRANSFORMS`, its name in `featviz.regularizers` and
the tests of this contract follow from that line.
"""

from featviz.common.pieces import export_imports, list_pieces
from featviz.regularizers.transforms.background import Background as Background
from featviz.regularizers.transforms.background import over_gray as over_gray
from featviz.regularizers.transforms.base import Transform as Transform
from featviz.regularizers.transforms.base import compose as compose
from featviz.regularizers.transforms.base import view_shape as view_shape
from featviz.regularizers.transforms.channel_noise import ChannelNoise as ChannelNoise
from featviz.regularizers.transforms.color_shift import ColorShift as ColorShift
from featviz.regularizers.transforms.gaussian_noise import GaussianNoise as GaussianNoise
from featviz.regularizers.transforms.jitter import Jitter as Jitter
from featviz.regularizers.transforms.pad import CenterCrop as CenterCrop
from featviz.regularizers.transforms.pad import Pad as Pad
from featviz.regularizers.transforms.random_affine import RandomAffine as RandomAffine
from featviz.regularizers.transforms.random_crop import RandomCrop as RandomCrop
from featviz.regularizers.transforms.roll import Roll as Roll
from featviz.regularizers.transforms.shrinking_crop import ShrinkingCrop as ShrinkingCrop
from featviz.regularizers.transforms.uniform_noise import UniformNoise as UniformNoise
from featviz.regularizers.transforms.window import Window as Window

TRANSFORMS = list_pieces(globals(), Transform)

export_imports(globals())
