"""The web process: what stands between the network and the collector, Django, static files and probes."""
