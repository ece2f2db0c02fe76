"""Image files -> pixels, in graphs."""
