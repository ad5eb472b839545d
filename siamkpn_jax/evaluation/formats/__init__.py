"""What benchmarks keep on disk: sequences, annotations, results."""
