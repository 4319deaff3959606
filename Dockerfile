# The sandbox in a container, built from a clone.
#
#   docker build -t metastudio-sandbox .
#   docker run --rm --network host metastudio-sandbox --port 8080
#
# It listens on 127.0.0.1 only, because its keys are public: a client shares its network (`--network host`, one pod, or
# `network_mode: service:...`). It prints the variables that clients need.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE ./
COPY overlays overlays
COPY generated generated
# The versions that were tested together. pip cannot compare hashes for a folder.
RUN sed '/--hash/d; s/ *\\$//' constraints.txt > /versions.txt \
    && python -m venv /app \
    && /app/bin/pip install --no-cache-dir --constraint /versions.txt '.[sandbox]'

FROM python:3.13-slim
COPY --from=build /app /app
USER 65532:65532
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1
STOPSIGNAL SIGINT
ENTRYPOINT ["metastudio", "sandbox"]
