"""Numbers as pages print them."""

import math

from featviz.pages.formatting import format_number, format_signed


def test_negative_numbers_have_a_typographic_minus():
    assert (format_number(-0.5), format_signed(-1)) == ("\N{MINUS SIGN}0.5", "\N{MINUS SIGN}1.00")


def test_numbers_that_are_not_finite_are_named():
    assert format_signed(math.nan) == format_number(math.inf) == "not finite"
