"""PyTorch weights in and out."""
