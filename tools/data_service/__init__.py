"""A tf.data service for `DataConfig.service`."""
