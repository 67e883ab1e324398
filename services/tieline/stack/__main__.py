"""``python -m tieline.stack``."""

from tieline.stack.commands import app

app(prog_name="tieline stack")
