"""The demo organisation: people who work in the two systems, a seeded year of theirs, and a walk through one day.

It works through the systems' own APIs, as their users would, and never writes to Kafka.
"""
