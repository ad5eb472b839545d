"""The tracker as files for other programs: ONNX, StableHLO, safetensors."""
