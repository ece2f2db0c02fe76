"""Sources whose items are rows: documents in CSV tables and JSON lines."""
