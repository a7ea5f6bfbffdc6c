#!/usr/bin/env bash
# Installs what building (build) or testing (test) needs and is not there yet. Debian 12 or a relative of it, root or sudo.
set -euo pipefail

purpose=${1:-build}
build=(libnghttp2-dev libssl-dev libpq-dev libcurl4-openssl-dev libprotobuf-c-dev libpg-query-dev zlib1g-dev tzdata protobuf-c-compiler postgresql pkg-config python3 python3-venv make)
test=(nghttp2-client protobuf-compiler gcc openssl curl systemd chromium chromium-driver)

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

# uPlot, which draws the console's charts: two files out of a package of PyPI, known by their SHA-256. Without them the console draws charts
# by itself, so a machine without a way to PyPI builds as well.
assets=.build/console-assets
hashes="2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2  uplot.iife.min.js
df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04  uplot.min.css"
has_assets() { (cd "$1" 2>/dev/null && sha256sum --quiet --check - <<<"$hashes" >/dev/null 2>&1); }
bring_assets() {
  local work
  work=$(mktemp -d)
  # A wheel is a zip: nothing of the package is installed or run.
  if python3 -c 'import pip' 2>/dev/null; then set -- python3 -m pip; else python3 -m venv "$work/venv" && set -- "$work/venv/bin/pip"; fi
  "$@" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" youplot==1.0.0 &&
    python3 - "$work" <<'END' && has_assets "$work" && mkdir -p "$assets" && cp "$work"/uplot.* "$assets/"
import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]) as wheel:
    for name in ["uplot.iife.min.js", "uplot.min.css"]:
        with open(sys.argv[1] + "/" + name, "wb") as file:
            file.write(wheel.read("youplot/vendor/" + name))
END
  local code=$?
  rm -rf "$work"
  return $code
}
has_assets "$assets" || bring_assets >/dev/null 2>&1 || echo "signalbox: uPlot could not be brought from PyPI: the console draws its charts without it" >&2

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
