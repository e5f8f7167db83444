"""The frameworks' settings, before any test imports one."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
# Networks that tests import, when their framework is there.
collect_ignore_glob = ["*_networks.py", "zoo_*.py"]
