#!/usr/bin/env bash
# Installs what building (build) or testing (test) needs and is not there yet. Debian 12 or a relative of it, root or sudo.
set -euo pipefail

purpose=${1:-build}
build=(libnghttp2-dev libssl-dev libpq-dev libcurl4-openssl-dev libprotobuf-c-dev libpg-query-dev zlib1g-dev tzdata protobuf-c-compiler postgresql pkg-config python3 make)
test=(nghttp2-client python3-venv protobuf-compiler gcc openssl curl systemd chromium chromium-driver)

wanted=("${build[@]}")
[ "$purpose" = test ] && wanted+=("${test[@]}")

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done

run=()
if [ "$(id -u)" -ne 0 ]; then run=(sudo); fi

if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || {
    echo "signalbox: this system has no apt-get; install the equivalents of: ${missing[*]}" >&2
    exit 1
  }
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "signalbox: run as root, or ask root for: apt-get install ${missing[*]}" >&2
      exit 1
    }
  fi
  echo "signalbox: installing ${missing[*]}"
  "${run[@]}" apt-get update -qq
  # No cluster of the distribution's is wanted: the collector makes its own.
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

command -v swift >/dev/null || {
  echo "signalbox: Swift 6.3 is not on PATH; get it from https://www.swift.org/install/linux/" >&2
  exit 1
}

if [ "$purpose" = test ]; then
  venv=${SIGNALBOX_VENV:-.build/venv}
  if ! "$venv/bin/python" -c 'import grpc, google.protobuf, jsonschema, selenium, schemathesis, axe_playwright_python, mcp, icalendar' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check grpcio protobuf jsonschema 'selenium>=4.20,<5' 'schemathesis>=4.32,<5' \
      'mcp>=2.3,<3' 'icalendar>=7,<8'
    # Of this one only the file axe.min.js is wanted, which checks pages for readers.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps 'axe-playwright-python==0.1.8'
  fi

  # An Alertmanager to send pages to, and promtool: unpacked, so that the distribution's services are neither installed nor started. The
  # template has one place only.
  tools=.build/alertmanager
  templates=usr/share/prometheus/alertmanager
  unpack() (
    mkdir -p "$tools" && cd "$tools" && apt-get download -qq prometheus-alertmanager prometheus &&
      for package in ./*.deb; do dpkg -x "$package" . && rm -f "$package"; done
  )
  if command -v apt-get >/dev/null; then
    { [ -x "$tools/usr/bin/prometheus-alertmanager" ] && [ -x "$tools/usr/bin/promtool" ]; } || unpack >/dev/null 2>&1 ||
      { "${run[@]}" apt-get update -qq && unpack >/dev/null 2>&1; } || true
    [ -e "/$templates" ] || { "${run[@]}" mkdir -p "/$templates" && "${run[@]}" cp -r "$tools/$templates/." "/$templates/"; } || true
  fi
  [ -x "$tools/usr/bin/prometheus-alertmanager" ] ||
    echo "signalbox: no Alertmanager was found: what it is sent is not tested" >&2
fi
