"""NetBox: devices as assets, sites and locations as places, over its REST API."""
