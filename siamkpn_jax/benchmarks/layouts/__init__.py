"""Where the benchmarks keep their annotations: a file for each layout."""
