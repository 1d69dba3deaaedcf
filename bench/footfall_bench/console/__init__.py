"""How fast the console's pages are made, what they weigh and what live numbers cost."""
