"""How fast audiences are counted and listed."""
