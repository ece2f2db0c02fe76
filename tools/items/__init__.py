"""Items to classify and what is said of them: shared by tools.predict and tools.query."""
