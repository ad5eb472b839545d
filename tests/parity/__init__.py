"""The package against the PyTorch reference."""
