"""Runs a tracker over the sequences of a benchmark."""
