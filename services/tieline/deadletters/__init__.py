"""The desk: list, show and replay what could not be processed."""
