"""The parts of a model and its losses."""
