# Overpaint's server. `docker build --target cpu .` or `--target cuda .`; docs/deploy.md says more.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
# A further index of packages, as one with builds of torch for CPUs alone, which are smaller by some gigabytes.
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/overpaint
# What it needs, in a layer of its own, which stays when only Overpaint's own files change.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir -p src/overpaint \
    && printf '"""In the place of the package."""\n' > src/overpaint/__init__.py \
    && /opt/overpaint/bin/pip install -c constraints.txt '.[jpeg]' \
    && /opt/overpaint/bin/pip uninstall -y overpaint
COPY src ./src
RUN /opt/overpaint/bin/pip install -c constraints.txt --no-deps .

FROM python:${PYTHON}-slim-bookworm AS cpu
COPY --from=build /opt/overpaint /opt/overpaint
RUN useradd --uid 10001 --no-create-home --home-dir /data overpaint \
    && install -d -o overpaint -g overpaint -m 700 /data
ENV PATH=/opt/overpaint/bin:$PATH HOME=/data OVERPAINT_HOME=/data PYTHONUNBUFFERED=1
USER 10001
VOLUME /data
EXPOSE 7860
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/overpaint/v1/health', timeout=4)"]
ENTRYPOINT ["overpaint"]
CMD ["serve", "--host", "0.0.0.0", "--port", "7860", "--data", "/data/server", "--key-file", "/data/keys.txt"]

# torch brings CUDA's libraries; the driver comes from the host, through NVIDIA's container toolkit.
FROM cpu AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
CMD ["serve", "--host", "0.0.0.0", "--port", "7860", "--data", "/data/server", "--key-file", "/data/keys.txt", "--device", "cuda"]
