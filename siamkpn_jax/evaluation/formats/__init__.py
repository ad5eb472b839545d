"""What is evaluated: sequences with their images, VOT's, and result files."""
