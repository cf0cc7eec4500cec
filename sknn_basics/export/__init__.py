"""Fitted estimators as files for runtimes that need neither Python nor PyTorch."""

from sknn_basics.export.onnx import register_converters, to_onnx

__all__ = ["register_converters", "to_onnx"]
