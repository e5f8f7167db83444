"""ONNX: files that PyTorch's two exporters write in several opsets, against onnxruntime's values of all nodes."""

import ast
import io
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import featviz as fv
from door_networks.comparison import Case, Network, Value
from featviz.model import OUTPUT

# The axis of the units of what these operators give.
UNITS = {
    "Conv": 1, "ConvTranspose": 1, "BatchNormalization": 1, "MaxPool": 1, "GlobalAveragePool": 1, "Gemm": -1,
    "LayerNormalization": -1,
}  # fmt: skip


def onnx_case(proto: Any, size: int) -> Case:
    """A file, and what onnxruntime gives for the outputs of all its nodes."""
    import onnx
    import onnxruntime

    inferred = onnx.shape_inference.infer_shapes(proto)
    types = {value.name: value for value in inferred.graph.value_info}
    names: dict[str, str] = {}
    for node in proto.graph.node:
        for index, output in enumerate(node.output):
            # Exporters compute shapes in integers.
            if output in types and types[output].type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
                name = (_scoped(node) or node.name.strip("/") or output.strip("/")) + (f"[{index}]" if index else "")
                repeats = sum(
                    re.fullmatch(rf"{re.escape(name)}(\[\d+\])?", other) is not None for other in names.values()
                )
                names[output] = f"{name}[{repeats}]" if repeats else name
    axes = {names[node.output[0]]: UNITS.get(node.op_type) for node in proto.graph.node if node.output[0] in names}
    exposed = onnx.ModelProto()
    exposed.CopyFrom(proto)
    exposed.graph.output.extend(types[output] for output in names)
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), providers=["CPUExecutionProvider"])

    def reference(images: np.ndarray) -> dict[str, Value]:
        given = {session.get_inputs()[0].name: np.ascontiguousarray(images.transpose(0, 3, 1, 2))}
        outputs = dict(
            zip([OUTPUT, *names.values()], session.run([proto.graph.output[0].name, *names], given), strict=True)
        )
        return {name: Value(np.asarray(array), axes.get(name)) for name, array in outputs.items()}

    return Case((size, size), lambda: fv.from_onnx(proto, input=fv.InputSpec(size=(size, size))), reference)


def _scoped(node: Any) -> str:
    """`layer1.0/conv1/Conv`: the modules that the newer exporter records for a node."""
    record = next((entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"), "[]")
    scopes = [scope for scope in ast.literal_eval(record)[:-1] if scope]
    parts = [scope.removeprefix(f"{outer}.") for outer, scope in zip(["", *scopes], scopes, strict=False)]
    return "/".join([*parts, node.op_type]) if record != "[]" else ""


def _exported(make: Callable[[], Any], size: int, opset: int, dynamo: bool) -> Case:
    import onnx
    import torch

    from door_networks.torch_values import randomize

    torch.manual_seed(0)
    module = make().eval()
    randomize(module)
    image = torch.zeros(2, 3, size, size)
    if dynamo:
        program = torch.onnx.export(
            module,
            (image,),
            dynamo=True,
            opset_version=opset,
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
        return onnx_case(program.model_proto, size)
    file = io.BytesIO()
    free = {"input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}}
    torch.onnx.export(module, (image,), file, dynamo=False, opset_version=opset, **free)
    return onnx_case(onnx.load_from_string(file.getvalue()), size)


def _timm(name: str, **arguments: Any) -> Any:
    import timm

    return timm.create_model(name, pretrained=False, **arguments)


FILES: list[tuple[str, int, dict[str, Any], int, bool]] = [
    ("resnet18", 64, {}, 9, False),
    ("mobilenetv3_small_050", 64, {}, 11, False),
    ("densenet121", 64, {}, 12, False),
    ("convnext_atto", 64, {}, 13, False),
    ("vit_tiny_patch16_224", 64, {"img_size": 64, "depth": 3}, 14, False),
    ("swin_tiny_patch4_window7_224", 56, {"img_size": 56, "depths": (2, 2)}, 17, False),
    ("levit_128s", 224, {}, 16, False),
    ("resnet18", 64, {}, 18, True),
    ("mobilenetv3_small_050", 64, {}, 20, True),
    ("convnext_atto", 64, {}, 18, True),
    ("vit_tiny_patch16_224", 64, {"img_size": 64, "depth": 3}, 23, True),
    ("efficientnet_b0", 64, {}, 21, True),
]
NETWORKS = [
    Network(
        f"{name}, opset {opset}, {'dynamo' if dynamo else 'TorchScript'}",
        "torch.onnx",
        "onnx",
        partial(_exported, partial(_timm, name, **arguments), size, opset, dynamo),
    )
    for name, size, arguments, opset, dynamo in FILES
]
