"""The tracker in ONNX Runtime, without JAX in the loop."""
