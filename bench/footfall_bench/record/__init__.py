"""What the record of visits costs, how fast it is written, and how fast it is read."""
