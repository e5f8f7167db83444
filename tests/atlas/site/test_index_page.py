"""The front page: which picture opens it."""

import re

import pytest
from support import sites


@pytest.mark.parametrize(("count", "opening"), [(1, 0), (2, 1), (3, 2), (7, 5), (9, 6)])
def test_the_page_opens_with_a_layer_three_quarters_through_the_network(tmp_path, count, opening):
    layers = [sites.layer(f"layer{index}", 1) for index in range(count)]
    units = [sites.unit(layer.name, 0) for layer in layers]
    page = (sites.write_site(tmp_path, sites.network(layers), units) / "index.html").read_text()
    cover = page[page.index('class="cover"') : page.index("Layers</h2>")]
    assert re.findall(r"<span>(layer\d)</span>", cover) == [f"layer{opening}"]
