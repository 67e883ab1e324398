"""What the data means, generated: the catalogue for people, AsyncAPI and data contracts for tools."""
