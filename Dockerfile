# An image with one static program in it, and nothing else: no shell, no library, no other user than 65532.
#
#   docker build -t wschat .
#   docker run -p 8776:8776 -v wschat:/var/lib/wschat wschat
#
# Mount settings of your own at /etc/wschat/settings.json. The history is in the volume /var/lib/wschat.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libc6-dev libssl-dev pkg-config
WORKDIR /wschat
COPY . .
RUN strip -o /program "$(packaging/build-static)"
RUN install -d -o 65532 -g 65532 -m 700 /root-of-image/var/lib/wschat \
    && install -d -o 65532 -g 65532 -m 755 /root-of-image/run/wschat

FROM scratch
COPY --from=build /root-of-image/ /
COPY --from=build /program /wschat
COPY packaging/docker-settings.json /etc/wschat/settings.json
USER 65532:65532
WORKDIR /var/lib/wschat
VOLUME /var/lib/wschat
# Where the admin socket is, as under systemd: `docker exec CONTAINER /wschat status`.
ENV RUNTIME_DIRECTORY=/run/wschat
EXPOSE 8776
HEALTHCHECK --interval=30s --timeout=5s --start-period=1m CMD ["/wschat", "status", "--json", "--settings", "/etc/wschat/settings.json"]
ENTRYPOINT ["/wschat"]
CMD ["--settings", "/etc/wschat/settings.json"]
