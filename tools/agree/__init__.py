"""Checks that all ways to ask an exported model give the same answers."""
