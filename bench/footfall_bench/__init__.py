"""The measurements of Footfall; docs/benchmarks/README.md describes them."""
