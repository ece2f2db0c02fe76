"""From raw images and documents to records: the format, and the Beam job that writes it."""
