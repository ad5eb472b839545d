"""Training data: sources, sampler, loader."""
