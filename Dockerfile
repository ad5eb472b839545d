# The page, and tracking of files: docs/deploy.md says how.
FROM python:3.11-slim

# A user without rights; what is kept between runs may be put into a volume.
RUN useradd --create-home --uid 1000 siamkpn
WORKDIR /src
COPY pyproject.toml setup.cfg constraints.txt README.md LICENSE NOTICE MODEL_CARD.md ./
COPY LICENSES LICENSES
COPY siamkpn_jax siamkpn_jax
RUN pip install --no-cache-dir --constraint constraints.txt '.[export,video,demo]' \
    && rm -rf /src/*

USER siamkpn
WORKDIR /data
# Nothing but a CPU is in here: JAX need not look for anything else.
ENV JAX_PLATFORMS=cpu PYTHONUNBUFFERED=1
# The network as ONNX Runtime reads it, so that no first frame waits for it.
RUN python -c "import siamkpn_jax; siamkpn_jax.load_tracker(engine='onnxruntime')"
EXPOSE 7860
ENTRYPOINT ["siamkpn"]
CMD ["demo", "--host", "0.0.0.0", "--port", "7860"]
