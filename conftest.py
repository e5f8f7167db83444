"""What holds for every test and every docstring's example: nothing is promoted in silence."""

import jax

# As equinox and optax test: a rank or a dtype that JAX would widen by itself is an error here.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# Modules of fixtures hold no examples, and two of one name cannot be collected for them.
collect_ignore_glob = ["*conftest.py"]
