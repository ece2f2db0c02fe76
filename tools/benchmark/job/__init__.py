"""`python -m tools.benchmark job`: the Beam job beside a plain loop, its workers, its memory."""
