"""What the PyTorch reference gives, and the program that writes it."""
