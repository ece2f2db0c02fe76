"""What an export holds: the signatures of its SavedModel, and the files beside it."""
