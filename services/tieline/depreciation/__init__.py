"""The reference calculation of depreciation, pure: what an ERP's schedule should say and what events do to a book."""
