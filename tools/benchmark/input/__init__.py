"""`input`: a training step fed from records beside the same step fed from memory."""
