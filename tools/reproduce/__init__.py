"""Works off queues of runs, and reports what they came to."""
