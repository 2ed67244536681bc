"""The ONNX graph, its quantized form, and what they cost to run."""
