"""The commands: a module for each, with `add_arguments` and `run`."""
