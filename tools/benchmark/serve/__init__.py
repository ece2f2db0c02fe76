"""`tools.benchmark serve`: a server under load, beside a loop over its model."""
