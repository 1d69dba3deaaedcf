"""Counting instructions per request under callgrind."""
