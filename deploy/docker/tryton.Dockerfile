# The demo ERP, Tryton, set up at its first start.
FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home tieline \
 && install -d -o tieline -g tieline -m 0700 /run/tieline /var/lib/tryton
COPY requirements/tryton.lock /app/requirements/
RUN python -m venv /opt/tryton \
 && /opt/tryton/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r /app/requirements/tryton.lock
COPY deploy/docker/trytond.conf deploy/docker/tryton.sh deploy/local/tryton/setup.py /app/
ENV PATH=/opt/tryton/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER tieline
ENTRYPOINT ["/bin/sh", "/app/tryton.sh"]
