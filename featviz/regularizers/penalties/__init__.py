"""Penalties on the picture: objectives of the image that the network sees, to be subtracted.

`replace(fv.recipes.default, penalty=-0.5 * total_variation())`, or as part of an objective:
`fv.channel("conv2", 3) - 0.5 * total_variation()`. All are means over pixels and channels, so that one weight serves
all sizes; lucid's are sums, so its weights are to be multiplied by height * width * channels.

To add one, write an `ImageTerm`, its function and `named("word")(function)` in a file of its own, and import the
function below. `PENALTIES`, by the words of the command line, follows from that line; the tests of objectives hold the
file's `EXAMPLES` to the contract of terms.
"""

from featviz.common.pieces import export_imports
from featviz.regularizers.penalties.base import PENALTIES as PENALTIES
from featviz.regularizers.penalties.blur import blur_difference as blur_difference
from featviz.regularizers.penalties.distance import l1 as l1
from featviz.regularizers.penalties.distance import l2 as l2
from featviz.regularizers.penalties.frequency import frequency_power as frequency_power
from featviz.regularizers.penalties.variation import total_variation as total_variation
from featviz.regularizers.penalties.variation import variation_norm as variation_norm

export_imports(globals())
