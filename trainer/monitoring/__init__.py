"""What a run finds out about itself while it trains."""
