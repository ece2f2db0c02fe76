"""The source of .npy files."""
