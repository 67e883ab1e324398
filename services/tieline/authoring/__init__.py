"""For authors of connectors: a working example to begin with, and the fleet as it stands."""
