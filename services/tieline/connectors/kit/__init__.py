"""What connectors share, as small functions they choose from."""
