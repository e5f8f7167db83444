"""Runs of a user's module that are watched: what its modules return, where it fails, and nothing changed afterwards."""

import dataclasses
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz.adapters.adapter_errors import ModuleError, failing_in
from featviz.errors import in_one_line
from featviz.tracing.marks import entry_name

if TYPE_CHECKING:
    import torch

# What PyTorch logs of an export that fails, which is no failure here.
CHATTY = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export", "torch._export")


class StoppedError(Exception):
    """A module or its export that failed; the failure is the cause.

    Attributes:
        calls: How many modules within had returned by then.
        reached: Whether it is no failure, but the end that was asked for.
    """

    def __init__(self, calls: int, *, reached: bool = False) -> None:
        super().__init__()
        self.calls = calls
        self.reached = reached

    @property
    def failure(self) -> Exception:
        """What the module or its export failed with."""
        assert isinstance(self.__cause__, Exception)
        return self.__cause__


class _ReachedError(BaseException):
    """The end that was asked for; no `except Exception` of the module's catches it."""


def run_once(
    module: "torch.nn.Module",
    images: "torch.Tensor",
    *,
    upto: str | None = None,
    observe: Callable[[str, Any], None] | None = None,
    gradients: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> None:
    """Runs a module for real, so that the tables that it keeps are real.

    Args:
        module: The module.
        images: Images.
        upto: The path of the module within that the run ends behind.
        observe: Gets the path of each module, and what it returns.
        gradients: Opened around the run; by default there are no gradients.

    Raises:
        StoppedError: If it fails, or where the run ends behind `upto`.
    """
    calls: list[str] = []

    def record(path: str, output: Any) -> None:
        calls.append(path)
        if observe is not None:
            observe(path, output)
        if path and path == upto:
            raise _ReachedError

    with quiet(), watched(module, record), gradients():
        try:
            module(images)
        except _ReachedError:
            raise StoppedError(len(calls), reached=True) from None
        # A user's module may raise anything.
        except Exception as error:
            raise StoppedError(len(calls)) from error


def arrays_within(output: Any, *, path: str = "") -> Iterator[tuple[str, "torch.Tensor"]]:
    """The tensors of what a module returned, by where they stand in it: within containers, dataclasses and objects.

    Those of a call under `vmap` have an axis less than all the calls that it stands for, and mean nothing outside.
    """
    import torch

    if isinstance(output, torch.Tensor):
        if not torch._C._functorch.is_functorch_wrapped_tensor(output):
            yield path, output
        return
    parts: Mapping[Any, Any] = {}
    if isinstance(output, Mapping):
        parts = output
    elif isinstance(output, tuple) and (fields := getattr(output, "_fields", None)):
        parts = dict(zip(fields, output, strict=True))
    elif isinstance(output, list | tuple):
        parts = dict(enumerate(output))
    elif dataclasses.is_dataclass(output):
        parts = {field.name: getattr(output, field.name, None) for field in dataclasses.fields(output)}
    for name, part in parts.items():
        yield from arrays_within(part, path=f"{path}/{entry_name(name)}" if path else entry_name(name))


def source_line(error: BaseException) -> str:
    """The file and line of the user's code that an exception came from, of PyTorch's where there is none."""
    while isinstance(error, ModuleError) and error.__cause__ is not None:
        error = error.__cause__
    here = str(Path(__file__).parents[2])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    theirs = [frame for frame in frames if "/torch/" not in frame.filename] or frames
    return f"{theirs[-1].filename}:{theirs[-1].lineno}" if theirs else "an unknown line"


def reason(error: Exception) -> str:
    """Why an export failed, on one line and without PyTorch's advice."""
    return in_one_line(error).partition(" For more")[0][:240]


@contextmanager
def quiet() -> Iterator[None]:
    """The user's PyTorch, in which nothing is changed afterwards: no gradients, no warnings, the same random state.

    Attention is composed of steps, not PyTorch's fused operation of inference, which no other framework has.
    """
    import torch
    from torch.backends import mha

    loggers = [logging.getLogger(name) for name in CHATTY]
    silent = [logger.disabled for logger in loggers]
    fast = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    state = torch.get_rng_state()
    for logger in loggers:
        logger.disabled = True
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_rng_state(state)
        mha.set_fastpath_enabled(fast)
        for logger, disabled in zip(loggers, silent, strict=True):
            logger.disabled = disabled


class Nothing:
    """What a module returns behind the end of a graph: nothing can be done with it."""


@contextmanager
def watched(
    module: "torch.nn.Module", record: Callable[[str, Any], Any], *, ended: list[Exception] | None = None
) -> Iterator[None]:
    """While it is open, what each module returns is recorded, and failures name the module.

    Once `ended` holds something the modules around it return at once, since the export must see each of them end.
    """
    handles, before = [], []

    def watch(path: str, each: Any) -> None:
        call = each.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            if ended:
                return Nothing()
            try:
                with failing_in(path, each):
                    return call(*args, **kwargs)
            # Behind the end of a graph everything fails, with one exception or another.
            except Exception:
                if not ended:
                    raise
                return Nothing()

        before.append((each, vars(each).get("forward")))
        each.forward = forward
        handles.append(each.register_forward_hook(lambda _, args, output: record(path, output)))

    for path, each in module.named_modules():
        watch(path, each)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for each, forward in before:
            del each.forward
            if forward is not None:
                each.forward = forward
