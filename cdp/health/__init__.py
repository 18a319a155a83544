"""Whether it runs: heartbeats, probes, checks with their fixes."""
