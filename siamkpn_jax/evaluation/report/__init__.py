"""The report of a benchmark: one page, its pictures and its tables."""
