"""Measures training steps, each in a process of its own, beside those of other libraries."""
