"""Packing of training sets into records; needs tensorflow-datasets."""
