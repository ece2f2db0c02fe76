"""The trainer: r-LSTM, p-LSTM and plain LSTM on long sequences, from records to a SavedModel."""
