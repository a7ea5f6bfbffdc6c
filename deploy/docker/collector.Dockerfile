FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libnghttp2-dev libssl-dev libpq-dev \
    libcurl4-openssl-dev libpg-query-dev libprotobuf-c-dev zlib1g-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build -c release --static-swift-stdlib --product signalbox-collector \
 && swift build -c release --static-swift-stdlib --product signalbox \
 && cp "$(swift build -c release --show-bin-path)"/signalbox-collector "$(swift build -c release --show-bin-path)"/signalbox /usr/local/bin/

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libnghttp2-14 libssl3 libpq5 libcurl4 libprotobuf-c1 \
    libstdc++6 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 --home /var/lib/signalbox --create-home signalbox
COPY --from=build /usr/local/bin/signalbox-collector /usr/local/bin/signalbox /usr/local/bin/
COPY deploy/rules /usr/local/share/signalbox/rules
USER 10001
VOLUME /var/lib/signalbox
EXPOSE 7443
ENTRYPOINT ["/usr/local/bin/signalbox-collector"]
