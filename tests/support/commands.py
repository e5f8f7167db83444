"""Commands as a shell runs them, in this process: their exit status and their line on standard error."""

import pytest

from featviz.cli.main import run


def status(*words) -> int:
    """The exit status of a command."""
    try:
        run([str(word) for word in words])
    except SystemExit as stop:
        return stop.code
    return 0


def refused(capsys, *words) -> tuple[int, str]:
    """The exit status of a command that fails, and the one line on standard error."""
    with pytest.raises(SystemExit) as stop:
        run([str(word) for word in words])
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "Traceback" not in text, text
    return stop.value.code, text
