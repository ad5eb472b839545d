"""Leaves: boxes, geometry, images, files, errors. They import nothing above."""
