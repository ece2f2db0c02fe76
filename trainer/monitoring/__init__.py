"""Measurements, pictures and messages of a run while it trains."""
