"""Calls of PyTorch's functions that an export takes otherwise than a run of the module does, as a run has them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.overrides import TorchFunctionMode


def calls_as_run() -> "TorchFunctionMode":
    """While it is open, dropout at inference returns its input itself, and `x.data` can be read and set.

    PyTorch's second pass has dropout return a copy, so that a ReLU in place behind it is lost; and what is read as
    `x.data` is no part of its graph.
    """
    import torch
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    names = ("dropout", "alpha_dropout", "feature_alpha_dropout")
    dropouts = {getattr(functional, name) for name in (*names, "dropout1d", "dropout2d", "dropout3d")}
    dropouts |= {getattr(torch, name) for name in (*names, "feature_dropout")}
    data: Any = torch.Tensor.data
    read, write = data.__get__, data.__set__

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if function in dropouts:
                training = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
                if not training:
                    return args[0] if args else kwargs["input"]
            if function == read:
                return args[0].detach()
            # Another shape, type or kind of array cannot be written to the old one.
            if function == write and args[0].shape == args[1].shape and args[0].dtype == args[1].dtype:
                with torch.no_grad():
                    args[0].copy_(args[1])
                return None
            return function(*args, **kwargs)

    return Mode()
