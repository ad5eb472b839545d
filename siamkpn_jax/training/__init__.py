"""Training: labels, losses, optimizer, step, loop, checkpoints."""
