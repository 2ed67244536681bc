"""A network asked for answers: device, logits, features, explanation, ONNX."""
