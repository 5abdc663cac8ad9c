FROM python:3.12.12-slim-bookworm

ENV NUMBA_CACHE_DIR=/var/cache/streamapp \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

RUN useradd --create-home streamapp \
    && install --directory --owner=streamapp "$NUMBA_CACHE_DIR"

COPY pyproject.toml README.md /src/
COPY streamapp /src/streamapp
RUN pip install /src

USER streamapp
WORKDIR /home/streamapp

# Kernels that the image brings compiled; a processor of another kind compiles them at the first start.
RUN python -m streamapp.worker.warm

# The worker is process 1, so the container ends with it. What may fail beside it is what it works with:
# this asks Kafka for its topics and Redis for the state.
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=3 \
    CMD ["streamapp", "status", "--json"]

ENTRYPOINT ["streamapp"]
CMD ["worker"]
