"""What simulators of vendors' APIs share: failing on purpose, witnessing, authenticating, limiting and paging."""
