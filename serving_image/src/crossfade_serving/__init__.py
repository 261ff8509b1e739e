"""A model server for ONNX models that speaks the Open Inference Protocol v2."""
