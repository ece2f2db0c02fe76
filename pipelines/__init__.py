"""Makes records of raw images, documents and arrays: the format, and the Beam job."""
