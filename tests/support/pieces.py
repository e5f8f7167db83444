"""Instances of the pieces that a room lists: those that their own docstrings construct."""

import ast
import dataclasses
import doctest
import inspect
import sys
from collections.abc import Iterable
from typing import Any

import pytest


def examples(piece: Any) -> list[Any]:
    """What the doctests of a class or a function construct with it: the values of the calls of its name."""
    namespace = dict(vars(sys.modules[piece.__module__]))
    found: list[Any] = []
    for example in doctest.DocTestParser().get_examples(piece.__doc__ or ""):
        for statement in ast.parse(example.source).body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == piece.__name__:
                    value = eval(compile(ast.Expression(node), piece.__name__, "eval"), namespace)
                    if repr(value) not in map(repr, found):
                        found.append(value)
            # What later examples construct it with.
            if isinstance(statement, ast.Assign | ast.Import | ast.ImportFrom):
                exec(compile(ast.Module([statement], []), piece.__name__, "exec"), namespace)
    return found


def parameters(pieces: Iterable[Any]) -> list[Any]:
    """A parameter of a test for each example of each piece."""
    return [
        pytest.param(example, id=f"{piece.__name__}-{index}")
        for piece in pieces
        for index, example in enumerate(examples(piece))
    ]


def check_docstring(piece: Any, *, formula_or_source: bool = True) -> None:
    """A docstring of one line, with its arguments, and an example that constructs the piece."""
    text = piece.__doc__ or ""
    assert len(text.splitlines()[0]) > 10, "its first line says what it does"
    assert examples(piece), "its docstring constructs an example, which these tests use"
    if formula_or_source:
        names = [field.name for field in dataclasses.fields(piece)] if dataclasses.is_dataclass(piece) else []
        assert all(f"\n  {name}: " in inspect.cleandoc(text) for name in names), "`Args:` says what each field is"
        assert "References:" in text or any(sign in text for sign in "=/*(+"), "a formula or a source"
