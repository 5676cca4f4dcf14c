# raudal in an image: the static program, the certificates, a folder for temporary files, and nothing
# else. Build the program first, for musl:
#
#   cargo zigbuild --release --features full --bin raudal --target x86_64-unknown-linux-musl
#   docker build --build-arg TARGET=x86_64-unknown-linux-musl -t raudal .
#   docker run --rm -v "$PWD:/data" raudal iter -o states.csv
FROM gcr.io/distroless/static-debian12:nonroot
ARG TARGET=x86_64-unknown-linux-musl
LABEL org.opencontainers.image.title="raudal" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY target/${TARGET}/release/raudal /usr/local/bin/raudal
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/raudal"]
CMD ["--help"]
