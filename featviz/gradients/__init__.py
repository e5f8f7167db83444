"""Gradient rules: they give a traced network the same gradients faster, or better ones for ascent.

A rule is a function `(program, step) -> Replacement | None`: for a step of a traced program that it knows it returns a
function of the same values with another gradient, and None for all others.

- `convolution`, `dense_convolution`, `shifted_convolution`, `max_pooling`, `power`, `error_function`,
  `row_maximum`: exact gradients that run faster than XLA's; `rules` says on which backend.
- `redirect`: gradients through silent ReLUs and GELUs.
"""
