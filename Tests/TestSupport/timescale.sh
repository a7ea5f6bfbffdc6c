#!/bin/sh
# A TimescaleDB (Apache edition) for the tests: Debian trixie's package in a directory of its own, outside the checkout.
#   timescale.sh start   make it if it is missing, start it, print its URL
#   timescale.sh url     print the URL of the running server
#   timescale.sh stop    end it
# Needs root (chroot), debootstrap, and Debian's mirror for the first start. Every step may be repeated.
set -eu

cache="${SIGNALBOX_CACHE:-${HOME:-/root}/.cache/signalbox}"
root="$cache/timescale-trixie"
mirror="${SIGNALBOX_DEBIAN_MIRROR:-$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v security | head -n 1)}"
mirror="${mirror:-http://deb.debian.org/debian}"
data=/tmp/ts/pg

fail() { echo "timescale.sh: $*" >&2; exit 1; }
as_postgres() { chroot --userspec=postgres:postgres "$root" "$@"; }
bin=/usr/lib/postgresql/17/bin

running() {
  [ -f "$root$data/postmaster.pid" ] && as_postgres $bin/pg_ctl -D $data status >/dev/null 2>&1
}

url() { echo "postgresql://postgres@127.0.0.1:$(sed -n 4p "$root$data/postmaster.pid")/postgres"; }

free_port() {
  port=54320
  while ss -Htln 2>/dev/null | grep -q ":$port "; do port=$((port + 1)); done
  echo "$port"
}

make_root() {
  [ -f "$root/.complete" ] && return
  command -v debootstrap >/dev/null || apt-get install -y -q debootstrap >&2
  mkdir -p "$cache"
  rm -rf "$root.new" "$root"
  debootstrap --variant=minbase --include=postgresql-17-timescaledb trixie "$root.new" "$mirror" >"$cache/debootstrap.log" 2>&1 ||
    fail "debootstrap failed; see $cache/debootstrap.log"
  rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
  touch "$root.new/.complete"
  mv "$root.new" "$root"
}

make_cluster() {
  [ -f "$root$data/PG_VERSION" ] && return
  mkdir -p "$root/tmp/ts"
  chroot "$root" chown postgres /tmp/ts
  as_postgres $bin/initdb -N -D $data -A trust --locale=C.UTF-8 -E UTF8 >/dev/null
  cat >>"$root$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '/tmp/ts'
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.license = 'apache'
fsync = off
shared_buffers = 128MB
max_locks_per_transaction = 256
CONF
}

[ "$(id -u)" = 0 ] || fail "needs root"
case "${1:-}" in
start)
  make_root
  make_cluster
  if ! running; then
    as_postgres $bin/pg_ctl -D $data -l /tmp/ts/server.log -w -o "-p $(free_port)" start >/dev/null ||
      fail "the server did not start; see $root/tmp/ts/server.log"
  fi
  url
  ;;
url) running || fail "not running"; url ;;
stop) ! running || as_postgres $bin/pg_ctl -D $data -m fast -w stop >/dev/null ;;
*) fail "usage: timescale.sh start|stop|url" ;;
esac
