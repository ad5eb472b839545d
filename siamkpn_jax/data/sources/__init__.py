"""The sources of training data, one module per layout."""
