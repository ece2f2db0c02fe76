"""Sources of items. Each kind has a folder, and `registry` lists them all."""
