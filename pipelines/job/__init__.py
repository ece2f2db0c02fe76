"""The Apache Beam job."""
