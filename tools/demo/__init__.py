"""`make demo`: from raw images to a served model, and what lies beyond the gradient's reach."""
