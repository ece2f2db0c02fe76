"""Asks a model server; imports no TensorFlow."""
