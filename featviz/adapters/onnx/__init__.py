"""ONNX files become Models."""
