"""A synthetic organisation of any size: what its systems report in a year, and what the hub must make of it.

Labels are true by construction: nothing here asks a processor, and nothing is drawn that a label does not say.
"""
