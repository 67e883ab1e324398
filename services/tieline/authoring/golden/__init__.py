"""What a new connector's case and golden records begin as."""
