"""Compares what systems hold with what the hub believes; reads Kafka only."""
