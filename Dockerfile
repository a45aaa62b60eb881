# One image for every part of a deployment; docker-compose.yaml says which container runs which.
# BASE is any Debian-like image with Python 3.11 to 3.13 and its venv module; SPARK=yes adds Java and PySpark, for
# pipelines with `settings.engine: spark`.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS packages
RUN python3 -m venv /opt/airloom
ENV PATH=/opt/airloom/bin:$PATH PIP_NO_CACHE_DIR=1
ARG SPARK=
COPY docker/requirements.txt requirements-spark.txt /source/docker/
RUN pip install --no-deps --require-hashes --requirement /source/docker/requirements.txt
RUN if [ -n "$SPARK" ]; then pip install --no-deps --require-hashes --requirement /source/docker/requirements-spark.txt; fi
COPY pyproject.toml README.md LICENSE /source/
COPY include/airloom /source/include/airloom
# `pip check` fails where the pins are not all that the package needs.
RUN pip install --no-deps /source && pip check

FROM ${BASE}
ENV PATH=/opt/airloom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRLOOM_ROOT=/airloom \
    AIRLOOM_HOME=/var/lib/airloom \
    AIRFLOW_HOME=/var/lib/airloom/airflow \
    AIRFLOW__CORE__EXECUTOR=CeleryExecutor \
    AIRFLOW__CORE__HOSTNAME_CALLABLE=socket.gethostname \
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH=/var/lib/airloom/bundles \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/lib/airloom/logs \
    AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY=/var/lib/airloom/parsing
ARG SPARK=
RUN if [ -n "$SPARK" ]; then apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*; fi
COPY --from=packages /opt/airloom /opt/airloom
# A new volume takes these folders' owner.
RUN useradd --system --uid 10001 --home-dir /var/lib/airloom --shell /usr/sbin/nologin airloom \
    && mkdir -p /airloom/include/pipelines /airloom/include/nodes /airloom/include/code /airloom/include/data \
       /airloom/output \
       /var/lib/airloom/airflow /var/lib/airloom/bundles /var/lib/airloom/data /var/lib/airloom/logs \
    && python -c "from airloom.local.airflow import configuration_file; print(configuration_file(), end='')" \
       > /var/lib/airloom/airflow/airflow.cfg \
    && chown -R airloom /airloom/output /var/lib/airloom
USER airloom
WORKDIR /airloom
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s --retries=3 CMD ["python", "-m", "airloom.dags.health"]
CMD ["airloom", "--help"]
