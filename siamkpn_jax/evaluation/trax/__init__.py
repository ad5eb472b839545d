"""A tracker that the VOT toolkit drives."""
