"""Versions of a model: which are on the disk, which are loaded, and what runs them."""
