"""The Faust app: live views for analysts, beside the delivery path."""
