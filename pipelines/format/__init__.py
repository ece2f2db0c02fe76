"""The contract between the job and the trainer: TensorFlow and numpy, never Beam."""
