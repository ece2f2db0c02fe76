"""`step` and `sweep`: training steps and gradient-free passes, ours beside other libraries'."""
