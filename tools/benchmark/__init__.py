"""Measures the product: its training steps, its job, its endless streams."""
