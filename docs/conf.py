"""The documentation site, built by `make docs`: pages, notebooks, and a reference made from the docstrings."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_extensions")]

from featviz.version import __version__  # noqa: E402

project = "featviz"
author = "the featviz authors"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "myst_nb",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    # Of this folder.
    "outside_links",
    "api_pages",
    "accessible_pages",
]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

# Pages.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# Notebooks are run when the site is built; one that fails ends the build. Those that have not changed are kept.
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

# Reference.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "jax": ("https://docs.jax.dev/en/latest", None),
    "flax": ("https://flax.readthedocs.io/en/latest", None),
    "optax": ("https://optax.readthedocs.io/en/latest", None),
}
# `make docs OFFLINE=1`: without the network, and with no links to these.
if tags.has("offline"):  # noqa: F821
    intersphinx_mapping = {}

# Look.
html_theme = "furo"
html_title = "featviz"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["scrolling.js"]
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
