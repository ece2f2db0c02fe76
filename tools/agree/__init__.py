"""Holds all ways to ask an exported model against each other."""
