"""Tieline keeps asset-management systems and ERPs telling the same story."""
