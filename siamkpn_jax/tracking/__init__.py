"""Tracking: crops, decoding, the tracker, video in and out."""
