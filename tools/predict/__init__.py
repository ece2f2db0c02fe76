"""Classifies files with an exported SavedModel."""
