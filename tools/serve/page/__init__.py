"""The page at `/` that shows a model reading, and what it asks the server for."""
