"""`job`: the Beam job beside a plain loop, two workers beside one, and the job's memory."""
