"""Weights on disk: files in the package, files of weights, Orbax."""
