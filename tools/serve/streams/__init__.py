"""Sequences without end: sessions whose state the server keeps."""
