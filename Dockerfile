# The page, and tracking of files: docs/deploy.md says how.
FROM python:3.11-slim

RUN useradd --uid 1000 siamkpn
WORKDIR /src
COPY pyproject.toml setup.cfg constraints.txt README.md LICENSE NOTICE MODEL_CARD.md ./
COPY LICENSES LICENSES
COPY siamkpn_jax siamkpn_jax
RUN pip install --no-cache-dir --constraint constraints.txt '.[export,video,demo]' \
    && rm -rf /src/*

# Nothing but a CPU is in here: JAX need not look for anything else. Whoever a
# container runs as (--user) has a home and finds the cache.
ENV JAX_PLATFORMS=cpu PYTHONUNBUFFERED=1 HOME=/tmp SIAMKPN_CACHE=/var/cache/siamkpn
# The network as ONNX Runtime reads it, so that no first frame waits for it.
RUN python -c "import siamkpn_jax; siamkpn_jax.load_tracker(engine='onnxruntime')" \
    && chmod -R a+rwX /var/cache/siamkpn && rm -rf /tmp/.[!.]*

# A user without rights, unless --user names another.
USER siamkpn
WORKDIR /data
# As Ctrl-C: nothing half-written is left. Process 1 does not end by SIGTERM.
STOPSIGNAL SIGINT
EXPOSE 7860
ENTRYPOINT ["siamkpn"]
CMD ["demo", "--host", "0.0.0.0", "--port", "7860"]
