"""What trains and evaluates in one go: the demo, ablations."""
