"""Boxes of targets from and to programs in which people label videos."""
