# The suite with its environment, for CPUs; for cards: docker build --build-arg CUDA=1 .
# bm3d and pyiqa, for non-commercial use only, are not in it: README.md. How to run: docs/running.md.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm
ARG CUDA=0
# libarchive unpacks data sets; git says which commit a number is from.
RUN apt-get update && apt-get install --yes --no-install-recommends git libarchive13 make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /suite
COPY requirements.lock containers/install.sh containers/
RUN mv containers/requirements.lock . && sh containers/install.sh ${CUDA}
COPY . .
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable .
# Whoever runs it may be nobody in the image.
RUN mkdir --mode=1777 /var/cache/suite
ENV XDG_CACHE_HOME=/var/cache/suite MPLCONFIGDIR=/var/cache/suite/matplotlib
CMD ["snakemake", "--cores", "all", "reports/all_tables.html"]
