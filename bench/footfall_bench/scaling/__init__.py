"""What grows with what: the measurements behind docs/scaling.md."""
