"""Pure functions from reports to events to commands, and the file that wires them to the loop."""
