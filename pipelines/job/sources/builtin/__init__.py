"""Sources that need no data of their own: digits of scikit-learn, texts of Python."""
