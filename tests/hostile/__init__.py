"""Hostile inputs for every reader: made, damaged, counted."""
