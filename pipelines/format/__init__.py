"""The format of records. The job and the trainer share it; it imports no Beam."""
