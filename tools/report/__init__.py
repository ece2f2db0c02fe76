"""Pages about finished runs: what was trained, how well, and why; or several runs compared."""
