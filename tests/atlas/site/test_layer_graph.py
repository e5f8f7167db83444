"""The graph of layers: its lanes and their drawing."""

from featviz.atlas.site.layer_graph import MAX_WIDTH, graph_rows, layer_graph


def test_lanes_never_cross_a_layer_that_they_do_not_belong_to():
    parents = {"a": [], "b": ["a"], "c": ["b"], "d": ["b"], "e": ["c", "d", "a"], "f": ["e", "e"], "g": []}
    rows = dict(zip(parents, graph_rows(parents), strict=True))
    assert rows["e"].has_children and not rows["f"].has_children and rows["g"].parents == ()
    assert all(row.lane not in row.passing for row in rows.values())
    for name, row in rows.items():
        assert list(row.parents) == sorted({rows[above].lane for above in parents[name]})


def test_many_lanes_come_closer():
    parents = {str(index): [] for index in range(40)} | {"last": [str(index) for index in range(40)]}
    graph = layer_graph(parents)
    assert graph.width <= MAX_WIDTH and {cell.width for cell in graph.cells} == {400}
    assert layer_graph({}).cells == ()
