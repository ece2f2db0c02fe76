"""Measures the product: its training steps, its job, its input, its endless streams."""
