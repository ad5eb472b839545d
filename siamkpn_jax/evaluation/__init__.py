"""Benchmarks: formats, metrics, runs, reports."""
