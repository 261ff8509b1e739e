"""Crossfade's model server: one ONNX model over the Open Inference Protocol v2, on KServe's SDK."""

from importlib.metadata import version

__version__ = version("crossfade-serving")
