"""Addresses of a site's files: distinct for any names, safe in every file system, and stable."""

import re

from support.sites import HOSTILE

from featviz.pages import addresses


def test_layers_have_distinct_and_safe_addresses():
    names = [*HOSTILE, "A" * 300 + "a", "A" * 300 + "b", "%2E.", "é" * 100]
    for address in (addresses.layer_page, addresses.grid_folder, lambda name: addresses.unit_page(name, 3)):
        paths = [address(name) for name in names]
        assert len(set(paths)) == len(names)
        for path in paths:
            parts = path.split("/")
            assert not {"", ".", ".."} & set(parts)
            assert all(re.fullmatch(r"[\w.~%=-]+", part, re.ASCII) and len(part) <= 240 for part in parts)


def test_addresses_are_percent_encoded_names_and_links_encode_the_percent_sign():
    assert addresses.unit_page("mixed4a/3x3", 7) == "units/mixed4a%2F3x3/7/index.html"
    assert addresses.link("units/a%2Fb/7/index.html", "layers/c.html") == "../units/a%252Fb/7/index.html"
