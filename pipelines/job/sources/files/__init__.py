"""Sources whose items are files: images, texts, MNIST, and images that a table names."""
