"""`stream`: one endless sequence through an exported model."""
