"""The shared kernel: records, loops, codec, declarations. Imports no other room."""
