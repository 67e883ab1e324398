"""Operating the hub: how every process and flow stands, and the life of one asset. Reads only."""
