"""Benchmarks: sequences in, scores, result files and plots out."""
