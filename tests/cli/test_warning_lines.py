"""Warnings on the command line are one line each."""

import warnings

from featviz.cli.warning_lines import PACKAGE, short_warnings


def test_a_warning_of_featviz_is_one_line_and_others_stay_as_they_are():
    own, other = str(PACKAGE / "atlas" / "export.py"), "/elsewhere/torch/module.py"
    with short_warnings():
        assert warnings.formatwarning("a\nb", UserWarning, own, 3) == "featviz: warning: a b\n"
        assert warnings.formatwarning("x", UserWarning, other, 3, "y = 1").startswith(f"{other}:3: UserWarning: x")
        assert "DeprecationWarning" in warnings.formatwarning("x", DeprecationWarning, own, 3, "")
    assert warnings.formatwarning("x", UserWarning, own, 3, "").startswith(f"{own}:3: UserWarning: x")
