"""Who is who: plain Python. No Django and no I/O here, so that every rule can be tried on random input."""
