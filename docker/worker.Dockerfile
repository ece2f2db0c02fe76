# A worker of a cluster with the package installed (docs/clusters.md), so that none of them installs
# TensorFlow when it starts. From the root of a checkout:
#   docker build -f docker/worker.Dockerfile -t REGION-docker.pkg.dev/PROJECT/REPOSITORY/longhaul .
# Python and Beam must be those of the machine that submits the job.
ARG PYTHON=3.11
ARG BEAM=2.77.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM}

# EXTRAS=[demo] adds scikit-learn, for --source=builtin:digits.
ARG EXTRAS=
COPY setup.py pyproject.toml constraints.txt /opt/longhaul/
COPY pipelines /opt/longhaul/pipelines
COPY trainer /opt/longhaul/trainer
COPY tools /opt/longhaul/tools
RUN pip install --no-cache-dir -c /opt/longhaul/constraints.txt "/opt/longhaul${EXTRAS}" \
    && python -c "import pipelines.launcher"

# Data on this machine can go into the image, at the path that --source names:
#   COPY photos /data/photos

# What starts a worker.
ENTRYPOINT ["/opt/apache/beam/boot"]
