"""Looks for faults in finished records."""
