"""Training data: formats on disk, sampling, loading, rendering."""
