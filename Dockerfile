# The gateway in an image of its own: locked packages, a user without rights, nothing to write to.
#   docker build -t inference-gateway .
#   docker run --rm --read-only -p 127.0.0.1:8080:8080 inference-gateway
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# What compiles the busiest modules stays behind in this stage.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/inference-gateway
# What it needs changes less often than what it is, and is a layer of its own.
COPY requirements/image.txt requirements/build.txt requirements/
RUN /opt/inference-gateway/bin/pip install --require-hashes -r requirements/image.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
# pip makes bytecode of what it installs; then nobody needs it any more.
RUN INFERENCE_GATEWAY_COMPILE=1 /opt/build/bin/python -m hatchling build -t wheel -d /dist \
    && /opt/inference-gateway/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/inference-gateway/bin/pip uninstall --yes pip \
    && case "$(/opt/inference-gateway/bin/inference-gateway version)" in *'(compiled)') ;; *) exit 1 ;; esac

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Inference Gateway" \
      org.opencontainers.image.description="One server in front of every LLM provider, behind one OpenAI-compatible API" \
      org.opencontainers.image.source="https://github.com/inference-gateway/inference-gateway" \
      org.opencontainers.image.documentation="https://github.com/inference-gateway/inference-gateway/blob/main/docs/deployment.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/inference-gateway /opt/inference-gateway
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /
# Inside a container, loopback is nobody but itself. Who reaches the port is up to whoever publishes it, so that
# nobody has to say who they are until keys or an issuer are set: then they must.
ENV PATH=/opt/inference-gateway/bin:$PATH \
    SERVER_HOST=0.0.0.0 \
    SERVER_ALLOW_UNAUTHENTICATED=true
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["inference-gateway", "health"]
ENTRYPOINT ["inference-gateway"]
CMD ["serve"]
