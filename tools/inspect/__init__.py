"""Shows what is in finished records."""
