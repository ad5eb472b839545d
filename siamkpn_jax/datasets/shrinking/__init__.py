"""A small copy of training data, to be carried to another machine."""
