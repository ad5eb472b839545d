"""Every setting, its default, its meaning and its range."""
