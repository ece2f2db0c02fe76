"""The trainer: r-LSTM, p-LSTM and plain LSTM on very long sequences, from records to a SavedModel."""
