# The service. CPU or GPU: torch as PyPI has it runs on both, and brings 3 GB of CUDA for x86. Without a GPU, an
# index with CPU-only builds makes the image a third as large:
#   docker build --build-arg PIP_EXTRA_INDEX_URL=<the CPU index that PyTorch's site names> .
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/lookalike
ENV PATH=/opt/lookalike/bin:$PATH
WORKDIR /src
# What it needs comes first: while only our code changes, this layer is kept.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    e = p['optional-dependencies']; \
    print(*p['dependencies'], *e['service'], *e['indexer'], *e['otel'], sep='\n')" > needs.txt \
    && pip install --constraint constraints.txt --requirement needs.txt hatchling
COPY README.md LICENSE ./
COPY service service
COPY indexer indexer
COPY clients/python clients/python
RUN pip install --no-deps --no-build-isolation . && pip uninstall --yes hatchling

FROM python:${PYTHON}
# /data: the embedded store. /cache: measured plans, downloaded weights, compiled kernels. All else, but for
# /tmp, may be read-only. A volume takes the owner of the folder that it is mounted on.
RUN useradd --no-create-home --home-dir /cache --uid 10001 lookalike \
    && mkdir /data /cache && chown lookalike:lookalike /data /cache
COPY --from=build /opt/lookalike /opt/lookalike
ENV PATH=/opt/lookalike/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    LOOKALIKE_HOST=0.0.0.0 \
    LOOKALIKE_DATA=/data \
    LOOKALIKE_CACHE=/cache/lookalike \
    XDG_CACHE_HOME=/cache \
    NUMBA_CACHE_DIR=/cache/numba \
    MPLCONFIGDIR=/tmp/matplotlib \
    BENTOML_HOME=/tmp/bentoml \
    BENTOML_DO_NOT_TRACK=True
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/cache"]
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=12s --start-period=90s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/readyz', timeout=11)"]
CMD ["lookalike", "serve"]
