"""The source of data sets of TensorFlow Datasets."""
