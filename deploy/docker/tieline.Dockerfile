# Tieline's own image: the hub's processes, its command line, the sandboxes. No Java, no development tools.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements/runtime.lock requirements/
RUN python -m venv /opt/tieline \
 && /opt/tieline/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY topics topics
COPY services services
RUN /opt/tieline/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# The id owns the volumes too, so the ERP's image uses the same one.
RUN useradd --uid 10001 --create-home tieline \
 && install -d -o tieline -g tieline -m 0700 /run/tieline /var/lib/tieline
COPY --from=build /opt/tieline /opt/tieline
COPY deploy/local /app/deploy/local
ENV PATH=/opt/tieline/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER tieline
ENTRYPOINT ["tieline"]
