"""TensorFlow Serving's REST API: its paths, and JSON into tensors and back."""
