#!/usr/bin/env bash
# Builds the collector's image from a fresh clone of HEAD and runs it, with buildah and without a container engine:
#   deploy/docker/try-image.sh
# Steps: the base images are pulled where their registry answers, else made of debootstrap and this machine's Swift; the
# Dockerfile is built; as the image's user, the programs print their version, the collector starts on a PostgreSQL of its
# own, makes an invitation, answers /health, and ends on SIGTERM. Needs root, buildah, debootstrap, git, PostgreSQL.
# The images stay in .build/image, 2 GB, so that the next try starts with their bases; all else is removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
checkout=$PWD
work=${SIGNALBOX_IMAGE_DIR:-$checkout/.build/image}
dockerfile=deploy/docker/collector.Dockerfile
mirror=${SIGNALBOX_DEBIAN_MIRROR:-http://deb.debian.org/debian}
image=localhost/signalbox-collector:try
database=
container=
collector=

fail() { echo "try-image.sh: $*" >&2; exit 1; }
# A storage of its own: nothing of this appears among the machine's images.
storage() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
postgres() { (cd / && runuser -u postgres -- "$@"); }

[ "$(id -u)" -eq 0 ] || fail "needs root: debootstrap and chroot"
for program in buildah debootstrap git swift curl; do
  command -v "$program" >/dev/null || fail "needs $program"
done
pg_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$pg_bin" ] || fail "needs PostgreSQL's server programs below /usr/lib/postgresql"

stop() {
  [ -z "$collector" ] || kill -TERM "$collector" 2>/dev/null || true
  if [ -n "$database" ]; then
    postgres "$pg_bin/pg_ctl" -D "$database/data" -m fast stop >/dev/null 2>&1 || true
    rm -rf "$database"
  fi
  [ -z "$container" ] || storage rm "$container" >/dev/null 2>&1 || true
  rm -rf "$work/clone" "$work/state" "$work/root"
}
trap stop EXIT
mkdir -p "$work"

has() { storage inspect --type image "$1" >/dev/null 2>&1; }

# base NAME PACKAGE…: an image of Debian bookworm under the official image's name.
base() {
  local name=$1 root=$work/root made
  shift
  rm -rf "$root"
  debootstrap --variant=minbase --include="$(IFS=,; echo "$*")" bookworm "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    fail "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  made=$(storage from scratch)
  storage add -q "$made" "$root" / >/dev/null
  # The toolchain is mounted there while the image is built.
  storage config --env PATH=/opt/swift/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$made"
  storage commit -q --rm "$made" "$name" >/dev/null
  rm -rf "$root"
}

volumes=()
if ! curl -s -o /dev/null -m 10 https://registry-1.docker.io/v2/; then
  echo "the registry does not answer: base images from debootstrap"
  has docker.io/library/debian:bookworm-slim || base docker.io/library/debian:bookworm-slim ca-certificates
  # As the official image of Swift, without the toolchain.
  has docker.io/library/swift:6.3-bookworm || base docker.io/library/swift:6.3-bookworm ca-certificates binutils \
    git gcc libc6-dev libstdc++-12-dev libcurl4-openssl-dev libedit2 libncurses6 libpython3-dev libsqlite3-0 libxml2-dev \
    libz3-4 pkg-config tzdata unzip zlib1g-dev
  toolchain=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")")
  volumes=(--volume "$toolchain:/opt/swift:ro")
fi
# Where this machine's git takes packages from a directory, the build does so too.
while read -r mirror_directory; do
  volumes+=(--volume "$mirror_directory:$mirror_directory:ro")
done < <(git config --system --get-regexp '^url\./.*\.insteadof$' | sed -E 's/^url\.(.*)\.insteadof .*/\1/' | sort -u)
[ ! -f /etc/gitconfig ] || volumes+=(--volume /etc/gitconfig:/etc/gitconfig:ro)

rm -rf "$work/clone"
git clone -q "$checkout" "$work/clone"
began=$SECONDS
storage bud --isolation chroot "${volumes[@]}" -t "$image" -f "$work/clone/$dockerfile" "$work/clone"
echo "built in $((SECONDS - began)) s"

container=$(storage from "$image")
run() { storage run --isolation chroot "$@"; }
user=$(run "$container" id -u)
[ "$user" = 10001 ] || fail "the image runs as user $user, not 10001"
for program in signalbox-collector signalbox; do
  echo "$program $(run "$container" "$program" --version)"
done

# A PostgreSQL on loopback, which the container shares under this isolation.
database=$(mktemp -d)
chown postgres "$database"
postgres "$pg_bin/initdb" -N -D "$database/data" -A trust -E UTF8 --locale=C.UTF-8 -U signalbox >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
postgres "$pg_bin/pg_ctl" -D "$database/data" -w -l "$database/log" \
  -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$database" start >/dev/null
rm -rf "$work/state"
install -d -o 10001 -m 700 "$work/state"

mounts=(--volume "$work/state:/var/lib/signalbox" --volume "$work/clone/deploy/docker/config:/etc/signalbox:ro")
export SIGNALBOX_DATABASE_URL=postgresql://signalbox@127.0.0.1:$port/postgres
environment=(--env "SIGNALBOX_DATABASE_URL=$SIGNALBOX_DATABASE_URL" --env SIGNALBOX_ADVERTISE=localhost:7443)
# Isolation by chroot has no process namespace: the number that the shell writes is the collector's.
run "${mounts[@]}" "${environment[@]}" "$container" sh -c 'echo $$ >/var/lib/signalbox/pid; exec signalbox-collector \
  --state-dir /var/lib/signalbox --listen 127.0.0.1:0 --config /etc/signalbox/signalbox.yaml' \
  >"$work/collector.out" 2>"$work/collector.err" &
launcher=$!
for _ in $(seq 300); do
  ! grep -q '^ready ' "$work/collector.out" || break
  kill -0 "$launcher" 2>/dev/null || break
  sleep 0.2
done
collector=$(cat "$work/state/pid")
grep '^ready ' "$work/collector.out" || fail "the collector does not start: $(tail -n 5 "$work/collector.err")"
metrics=$(grep -oE 'metrics=[^ ]+' "$work/collector.out" | cut -d= -f2)
[ "$(curl -s -m 10 "http://$metrics/health")" = ok ] || fail "/health: $(curl -s -m 10 "http://$metrics/health")"
token=$(run "${mounts[@]}" "${environment[@]}" "$container" signalbox hosts invite try --state-dir /var/lib/signalbox)
case $token in sbj1.*) echo "invited a host" ;; *) fail "hosts invite printed: $token" ;; esac
kill -TERM "$collector"
wait "$launcher" || fail "the collector ended with $?: $(tail -n 5 "$work/collector.err")"
collector=
echo "passed: built, started, invited, stopped"
