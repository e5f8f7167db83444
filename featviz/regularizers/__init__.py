"""Regularizers: what keeps a picture natural.

- Transforms (`TRANSFORMS`), which a picture must survive: `Recipe.transforms`. See `featviz.regularizers.transforms`.
- Step rules (`STEPS`), which keep pixels smooth, small or sparse: links of an optimizer's `Chain`. See
  `featviz.regularizers.steps`.
- Penalties (`PENALTIES`, by their words on the command line), objectives of the image: `Recipe.penalty`. See
  `featviz.regularizers.penalties`.
- `Fidelity` to the image that the picture began at: `Recipe.fidelity`.

Every piece is a frozen value with canonical JSON. Images are float32 in [0,1] and are never clipped between pieces.
"""

from featviz.common.pieces import export_imports
from featviz.regularizers.fidelity import Fidelity as Fidelity
from featviz.regularizers.penalties import *  # noqa: F403
from featviz.regularizers.steps import *  # noqa: F403
from featviz.regularizers.transforms import *  # noqa: F403

export_imports(globals())
