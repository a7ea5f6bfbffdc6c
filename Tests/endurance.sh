#!/usr/bin/env bash
# What the fleet does when something is away for long or there is too much: release programs, a private PostgreSQL, loopback.
#   endurance.sh database-away [SECONDS=600] [stopped|killed]   PostgreSQL does not answer, or is gone
#   endurance.sh disk-full [SECONDS=120]                        the agent's disk, then the database's; needs root
#   endurance.sh backlog [GB=10]                                lines that were there before the agent
#   endurance.sh many-files [COUNT=100000]                      a pattern of far more files than are followed at a time
#   endurance.sh housekeeping [URL] [MB=900]                    how long commits pause beside it. With a server of TimescaleDB's community
#                                                               edition: a chunk of so many MB is compressed while late lines come for
#                                                               it. Without: retention beside open readers, plain PostgreSQL
#   endurance.sh sparse [TIB=1]                                 a file that is one hole, which any user can make
# Prints figures, then `passed` or what was wrong. SIGNALBOX_BIN names built programs, ENDURANCE_DIR where to work
# (/tmp; a backlog needs five times its size), ENDURANCE_KEEP=1 leaves everything there. SIGTERM ends it cleanly.
set -euo pipefail
cd "$(dirname "$0")/.."

age_max=5         # s: of the newest committed sample while a backlog drains
agent_mib_max=48  # peak resident memory
collector_mib_max=192
rate=2000         # numbered lines a second

part=${1:-}
bin=${SIGNALBOX_BIN:-}
if [ -z "$bin" ]; then
  make --silent build >&2
  bin=$PWD/.build/release
fi
dir=$(mktemp -d "${ENDURANCE_DIR:-/tmp}/signalbox-endurance-XXXXXX")
state=$dir/collector logs=$dir/logs
chmod 711 "$dir"
mkdir -p "$logs" "$state" "$dir/agent"
failures=0 agent='' collector='' writer='' port=0 stopped=() agents=() helpers=() own_database=''

say() { printf '%-58s %s\n' "$1" "$2"; }
require() { # WHAT CONDITION…
  local what=$1
  shift
  "$@" || { echo "WRONG: $what"; failures=$((failures + 1)); }
}
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a <= b) }'; }
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a >= b) }'; }
now_ms() { date +%s%3N; }
pause() { local fd; exec {fd}<> <(:); read -rt "$1" -u "$fd" || true; exec {fd}>&-; }
sql() { psql -XqAt -F ' ' -d "$(cat "$state/database-url")" -c "$1" 2>"$dir/psql.err"; }
soon() { PGOPTIONS='-c statement_timeout=3s' PGCONNECT_TIMEOUT=2 timeout 4 psql -XqAt -F ' ' -d "$(cat "$state/database-url")" -c "$1" 2>/dev/null; }
memory() { awk -v f="$2" '$1 == f":" { printf "%.1f", $2 / 1024 }' "/proc/$1/status" 2>/dev/null; }

clean_up() {
  trap - EXIT
  for pid in "${stopped[@]}"; do kill -CONT "$pid" 2>/dev/null || true; done
  for pid in $writer "${helpers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in $agent "${agents[@]}" $collector; do
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  local postmaster
  postmaster=$(head -1 "$state/postgres/data/postmaster.pid" 2>/dev/null || true)
  [ -z "$postmaster" ] || kill -QUIT "$postmaster" 2>/dev/null || true
  [ -z "$own_database" ] || psql -Xq -d "$server" -c "drop database $own_database with (force)" || true
  sleep 0.5
  for mount in "$dir/agent" "$state/postgres"; do mountpoint -q "$mount" && umount -l "$mount"; done
  [ -n "${ENDURANCE_KEEP:-}" ] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# MARK: the fleet

start_collector() {
  : >"$dir/collector.out"
  "$bin/signalbox-collector" --state-dir "$state" --listen "127.0.0.1:$port" "$@" \
    >"$dir/collector.out" 2>>"$dir/collector.err" &
  collector=$!
  until grep -q '^ready ' "$dir/collector.out"; do
    kill -0 "$collector" || { tail -3 "$dir/collector.err"; exit 1; }
    pause 0.1
  done
  port=$(sed -n 's/^ready .*listen=[^ ]*:\([0-9]*\) .*/\1/p' "$dir/collector.out")
  status=$(sed -n 's/^ready .*metrics=\([^ ]*\).*/\1/p' "$dir/collector.out")
}
start_agent() {
  "$bin/signalbox-agent" run --state-dir "$dir/agent" --follow "$logs/**" "$@" 2>>"$dir/agent.err" &
  agent=$!
}
begin() {
  start_collector
  "$bin/signalbox-agent" join "$("$bin/signalbox" hosts invite host-1 --state-dir "$state")" \
    --state-dir "$dir/agent" 2>>"$dir/agent.err" >/dev/null
}
# Numbered lines at a steady rate into one file; how many stand in `written`.
start_writer() {
  (
    number=0 stop=0
    trap 'stop=1' TERM
    due=$(now_ms)
    while [ "$stop" = 0 ]; do
      seq -f "$(date -u '+%Y-%m-%d %H:%M:%S'),000 - INFO - line %.0f of the test" "$number" $((number + rate / 20 - 1))
      number=$((number + rate / 20)) due=$((due + 50))
      echo "$number" >"$dir/written"
      wait=$((due - ${EPOCHREALTIME/[.,]/} / 1000))
      [ "$wait" -le 0 ] || pause "$(printf '0.%03d' "$wait")"
    done
  ) >>"$logs/numbers.log" &
  writer=$!
}
stop_writer() {
  kill "$writer"
  wait "$writer" || true
  writer='' written=$(cat "$dir/written")
}

# MARK: measuring

# Age in s of the newest committed sample; empty where the database does not answer.
age() { soon "select round(extract(epoch from clock_timestamp() - max(time))::numeric, 2) from host_samples"; }
committed_bytes() { soon "select coalesce(sum(committed_offset), 0) from signalbox.followed_files"; }
file_bytes() { stat -c %s "$logs"/* | awk '{ n += $1 } END { printf "%.0f", n }'; }

peaks() {
  agent_peak=$(memory "$agent" VmHWM) collector_peak=$(memory "$collector" VmHWM)
  say "agent MiB resident: peak; now (≤ $agent_mib_max)" "$agent_peak; $(memory "$agent" VmRSS)"
  say "collector MiB resident: peak; now (≤ $collector_mib_max)" "$collector_peak; $(memory "$collector" VmRSS)"
  require "the agent's memory" at_most "$agent_peak" $agent_mib_max
  require "the collector's memory" at_most "$collector_peak" $collector_mib_max
}
# Until every byte of every file is committed and no sample waits, an age a second. LIMIT s.
drain() {
  local from age done_bytes all=0 limit=$1
  from=$(now_ms)
  : >"$dir/ages"
  while :; do
    age=$(age || true)
    [ -z "$age" ] || echo "$age" >>"$dir/ages"
    all=$(file_bytes)
    done_bytes=$(committed_bytes || true)
    [ "${done_bytes:-0}" -lt $((all - rate * 200)) ] || break
    [ $(($(now_ms) - from)) -lt $((limit * 1000)) ] || { require "it drains within $limit s" false; break; }
    echo "$(($(now_ms) - from)) $done_bytes $all ${age:-?} $(memory "$agent" VmRSS) $(memory "$collector" VmRSS)" >>"$dir/progress"
    pause 0.9
  done
  drained_ms=$(($(now_ms) - from))
}
ages() {
  local worst p99
  worst=$(sort -n "$dir/ages" | tail -1)
  p99=$(sort -n "$dir/ages" | awk '{ a[NR] = $1 } END { i = int(NR * 0.99 + 0.999); print a[i < 1 ? 1 : i] }')
  say "s, age of the newest committed sample while draining: max; p99" "$worst; $p99 of $(wc -l <"$dir/ages")   (≤ $age_max)"
  require "fresh samples first" at_most "$worst" $age_max
}
settle() { # WRITTEN: waits until the last line is there
  local last="%line $(($1 - 1)) of the test"
  for _ in $(seq 600); do
    [ "$(soon "select count(*) from log_lines where time > now() - interval '1 hour' and message like '$last'")" = 1 ] && return
    pause 0.5
  done
  require "the last line came" false
}
lines_are_rows() {
  read -r rows distinct <<<"$(sql "select count(*), count(distinct message) from log_lines where message like '%of the test'")"
  say "lines written; rows; distinct rows" "$1; $rows; $distinct"
  require "lines are rows" [ "$1" = "$rows" ]
  require "no row twice" [ "$rows" = "$distinct" ]
}
# A sample a second: what is missing between two must be in the ledger.
samples_are_complete() {
  pause 2
  read -r count distinct missing <<<"$(sql "
    select count(*), count(distinct time), coalesce(sum(round(gap) - 1) filter (where gap > 1.5), 0)::int
    from (select time, extract(epoch from time - lag(time) over (order by time)) as gap from host_samples) s")"
  read -r lost ranges <<<"$(sql "
    select coalesce(sum(to_offset - from_offset), 0)::int8, count(*) from signalbox.loss_ledger where subject like 'spool%'")"
  say "samples: rows; distinct; seconds without; reported as lost" "$count; $distinct; $missing; $lost in $ranges ranges"
  require "no sample twice" [ "$count" = "$distinct" ]
  require "each missing sample is reported" at_least "$((lost + 2))" "$missing"
}
health() { curl -s -m 2 -o /dev/null -w '%{http_code} in %{time_total} s' "http://$status/health" || true; }

# MARK: parts

database_away() {
  local seconds=$1 how=$2 postmaster data=$state/postgres/data
  begin
  start_agent
  start_writer
  pause 10
  say "s, age of the newest committed sample before" "$(age)"
  postmaster=$(head -1 "$data/postmaster.pid")
  mapfile -t stopped < <(echo "$postmaster"; pgrep -P "$postmaster")
  if [ "$how" = stopped ]; then
    kill -STOP "${stopped[@]}"
  else
    # Nobody can start it again while its directory cannot be entered.
    chmod 0 "$data"
    kill -9 "${stopped[@]}"
    stopped=()
  fi
  pause "$((seconds / 2))"
  say "GET /health half-way" "$(health)"
  pause "$((seconds - seconds / 2))"
  say "MiB of log lines and samples that waited" "$(du -cm "$logs" "$dir/agent/spool" | awk 'END { print $1 }')"
  if [ "$how" = stopped ]; then
    kill -CONT "${stopped[@]}"
    stopped=()
  else
    chmod 700 "$data"
  fi
  back=$(now_ms)
  until [ -n "$(soon 'select 1')" ]; do pause 0.2; done
  say "s until the database answered" "$(awk -v ms=$(($(now_ms) - back)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  first=''
  until [ -n "$first" ] && at_most "$first" $age_max; do pause 0.1; first=$(age || true); done
  say "s from its return to a committed fresh sample" "$(awk -v ms=$(($(now_ms) - back)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  drain 600
  say "s until everything was committed" "$(awk -v ms=$(($(now_ms) - back)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  ages
  stop_writer
  settle "$written"
  lines_are_rows "$written"
  samples_are_complete
  peaks
}

# Takes all the room of a file system but KIB, and again whatever is freed; until the file is removed.
fill() { # DIRECTORY KIB
  dd if=/dev/zero of="$1/ballast" bs=64K 2>/dev/null || true
  truncate -s "-${2}K" "$1/ballast"
}
small_disk() { # DIRECTORY MIB
  mkdir -p "$1"
  mount -t tmpfs -o "size=${2}m,mode=755" tmpfs "$1"
}

disk_full() {
  local seconds=$1
  [ "$(id -u)" = 0 ] || { echo "skipped: making small disks needs root"; exit 0; }
  small_disk "$dir/agent" 64
  small_disk "$state/postgres" 1024
  begin
  start_agent
  start_writer
  pause 5

  echo "-- the agent's disk is full, the collector is there"
  fill "$dir/agent" 0
  pause "$((seconds / 2))"
  samples_are_complete
  say "s, age of the newest committed sample" "$(age)"

  echo "-- the agent's disk is full, the collector is away"
  kill -9 "$collector"
  wait "$collector" 2>/dev/null || true
  pause "$((seconds / 2))"
  start_collector
  until [ -n "$(age)" ] && at_most "$(age)" $age_max; do pause 0.5; done
  rm "$dir/agent/ballast"
  pause 15
  samples_are_complete
  "$bin/signalbox" gaps --state-dir "$state" || true

  echo "-- the database's disk is full"
  fill "$state/postgres" 4096
  pause "$((seconds / 2))"
  say "GET /health" "$(health)"
  pause "$((seconds / 2))"
  say "age of the newest committed sample" "$(age || true)"
  rm "$state/postgres/ballast"
  back=$(now_ms)
  until at_most "$(age || true)" $age_max; do pause 0.2; done
  say "s from free space to a committed fresh sample" "$(awk -v ms=$(($(now_ms) - back)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  drain 300
  ages
  stop_writer
  settle "$written"
  lines_are_rows "$written"
  samples_are_complete
  peaks
}

backlog() {
  local gb=$1 lines each file time
  # 100 bytes a line, in four files.
  each=$((gb * 10000000 / 4))
  time=$(date -u '+%Y-%m-%d %H:%M:%S')
  for file in 0 1 2 3; do
    seq -f "$time,000 - INFO - file $file, line %010.0f of the test, with what a training job says" "$each" >"$logs/$file.log"
  done
  lines=$((each * 4))
  say "GB in lines; MiB" "$gb; $lines lines, $(($(file_bytes) >> 20)) MiB"
  begin
  start_agent
  until [ -n "$(age)" ]; do pause 0.1; done
  drain $((gb * 600 + 120))
  until [ "$(committed_bytes)" = "$(file_bytes)" ]; do pause 0.5; done
  say "s to drain; MB/s; lines/s" "$(awk -v ms="$drained_ms" -v b="$(file_bytes)" -v l="$lines" \
    'BEGIN { printf "%.0f; %.1f; %.0f", ms / 1000, b / ms / 1000, l / ms * 1000 }')"
  ages
  peaks
  rows=$(sql "select count(*) from signalbox.log_info")
  counted=$(sql "select sum(lines) from signalbox.log_counts")
  say "lines; rows; lines in log_counts" "$lines; $rows; $counted"
  require "rows are lines" [ "$rows" = "$lines" ]
  require "counts are lines" [ "$counted" = "$lines" ]
  # Of n lines of one length, n different offsets have this sum: none is there twice and another missing.
  wrong=$(sql "
    select count(*) from (
      select count(*) as n, sum(file_offset) as offsets, max(file_offset) as last from signalbox.log_info group by file) f
    where n <> $each or offsets <> last * n / 2 or last <> (select min(committed_offset) from signalbox.followed_files) / n * (n - 1)")
  say "files whose rows are not their lines" "$wrong of 4"
  require "each line once" [ "$wrong" = 0 ]
  samples_are_complete
  say "MiB of database" "$(sql "select pg_database_size(current_database()) >> 20")"
}

ticks() { awk '{ print $14 + $15 }' "/proc/$agent/stat"; }
# Cores that the agent uses over SECONDS.
cores() {
  local from=$(ticks) ms=$(now_ms)
  pause "$1"
  awk -v t="$(($(ticks) - from))" -v hz="$(getconf CLK_TCK)" -v ms="$(($(now_ms) - ms))" 'BEGIN { printf "%.3f", t / hz / ms * 1000 }'
}
# ms from a line in FILE to its committed row.
line_delay() {
  local from=$(now_ms)
  echo "$(date -u '+%Y-%m-%d %H:%M:%S'),000 - INFO - active line $2" >>"$1"
  until [ "$(soon "select count(*) from log_lines where message like '%active line $2'")" = 1 ]; do
    [ $(($(now_ms) - from)) -lt 60000 ] || break
    pause 0.05
  done
  echo $(($(now_ms) - from))
}
# Every active file has its lines in the database within 5 s, samples go on, and at rest a fifth of a core is enough.
many_files() {
  local count=$1 delay worst=0 file
  seq -f "$logs/t%06.0f.log" "$count" | xargs -n 2000 sh -c 'for f; do echo "trial $f" >"$f"; done' sh
  begin
  start_agent
  from=$(now_ms)
  until [ -n "$(age)" ]; do pause 0.1; done
  say "s from the agent's start to its first sample" "$(awk -v ms=$(($(now_ms) - from)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  for file in zz-new.log t000007.log "t$(printf %06d "$count").log"; do
    delay=$(line_delay "$logs/$file" "early $file")
    say "ms to a line of $file, while the others are taken up" "$delay"
  done
  # Until what can be followed has been read.
  local last=-1 now
  while now=$(sql "select count(*) from signalbox.followed_files"); [ "$now" != "$last" ]; do last=$now; pause 20; done
  pause 20
  used=$(cores 60)
  say "cores at rest with $count files (≤ 0.2)" "$used"
  require "cores at rest" at_most "$used" 0.2
  for file in zz-new.log zz-second.log t000007.log t000999.log "t$(printf %06d "$count").log"; do
    delay=$(line_delay "$logs/$file" "rest $file")
    say "ms to a line of $file (≤ 5000)" "$delay"
    [ "$delay" -le "$worst" ] || worst=$delay
  done
  require "active lines within 5 s" at_most "$worst" 5000
  say "age of the newest committed sample (≤ $age_max s)" "$(age || true)"
  sql "select * from host_following" | sed 's/^/followed: /'
  rows=$(sql "select count(*) from log_lines where message like 'trial%'")
  twice=$(sql "select count(*) from (select message from log_lines where message like 'trial%' group by message having count(*) > 1) m")
  say "lines of idle files; twice" "$rows of $count; $twice"
  require "no line twice" [ "$twice" = 0 ]
  agent_mib_max=96  # MemoryHigh of the shipped unit: the marks of 100 000 files take most of it
  peaks
  from=$(now_ms)
  kill "$agent"
  wait "$agent" || true
  say "ms from SIGTERM to the agent's end" "$(($(now_ms) - from))"
  agent=''
  grep -o '"level":"warning".*' "$dir/agent.err" | head -5
}

# MARK: housekeeping

hosts=4
pause_max=1000 # ms, between two commits of a host

# Hosts, each with a file that gets a line each 25 ms, so that a quiet writer commits for each of them 20 times a second.
start_hosts() {
  local i
  for i in $(seq $hosts); do
    mkdir -p "$logs/$i" "$dir/agent-$i"
    "$bin/signalbox-agent" join "$("$bin/signalbox" hosts invite "host-$i" --state-dir "$state")" \
      --state-dir "$dir/agent-$i" 2>>"$dir/agent.err" >/dev/null
    "$bin/signalbox-agent" run --state-dir "$dir/agent-$i" --follow "$logs/$i/*.log" 2>>"$dir/agent.err" &
    agents+=($!)
  done
  (
    number=0 stop=0
    trap 'stop=1' TERM
    while [ "$stop" = 0 ]; do
      for i in $(seq $hosts); do
        TZ=UTC printf '%(%F %T)T,000 - INFO - host %d, line %d of the test\n' -1 "$i" "$number" >>"$logs/$i/numbers.log"
      done
      number=$((number + 1))
      echo $((number * hosts)) >"$dir/written"
      pause 0.025
    done
  ) &
  writer=$!
  # Every commit of a host changes its row there: who has committed, each 50 ms.
  echo "select round(extract(epoch from clock_timestamp()) * 1000), host, xmin from signalbox.epochs \\watch 0.05" |
    psql -XqAt -F ' ' -d "$(cat "$state/database-url")" >"$dir/commits" 2>/dev/null &
  helpers+=($!)
  until [ "$(sql "select count(*) from signalbox.epochs where last_seen > now() - interval '2 s'")" = "$hosts" ]; do pause 0.2; done
  pause 2
}
# The longest pauses between commits since MS, by host; how often it was looked bounds what can be seen.
pauses() { # WHAT MS
  local longest
  pause 3
  longest=$(awk -v since="$2" '
    NF == 3 && $1 >= since {
      if (now && $1 - now > look) look = $1 - now
      now = $1
      if (!($2 in at)) at[$2] = $1
      if ($1 - at[$2] > pause[$2]) pause[$2] = $1 - at[$2]
      if ($3 != seen[$2]) { at[$2] = $1; seen[$2] = $3 }
    }
    END {
      for (h = 1; h in pause; h++) { line = line " " pause[h]; if (pause[h] > worst) worst = pause[h] }
      print worst, "; by host" line " (looked each " look ", \342\211\244 " max ")"
    }' max=$pause_max "$dir/commits")
  say "$1: ms, longest pause" "${longest/ ;/;}"
  require "commits beside $1" at_most "${longest%% *}" $pause_max
}
pass() { kill -HUP "$collector"; } # of housekeeping, now
each_line_once() {
  local last
  kill "$writer"
  wait "$writer" || true
  writer='' written=$(cat "$dir/written")
  for _ in $(seq 300); do
    last=$(sql "select count(*) from log_lines where message like '%of the test' and time > now() - interval '2 hours'")
    [ "$last" != "$written" ] || break
    pause 0.2
  done
  lines_are_rows "$written"
}
# MB of a day's lines, 4 days ago, in one transaction: no pass sees a part of it.
fill_chunk() { # MB
  sql "insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
    select date_trunc('day', now() - interval '4 days') + i * interval '10 ms', now() - interval '4 days', 1 + i % $hosts, i * 130, 1, 2, 0,
      'step ' || i || ': loss ' || random() || ', gradient norm ' || random() || ', learning rate 0.0003, tokens/s ' || (random() * 100000)::int
    from generate_series(0, $1 * 4100) i"
  sql checkpoint
}
old_chunk() { # COLUMN
  sql "select $1 from timescaledb_information.chunks where hypertable_name = 'log_info'
    and range_start = date_trunc('day', now() - interval '4 days')"
}
chunk_mb() {
  sql "select round(sum(total_bytes) / 1e6) from chunks_detailed_size('signalbox.log_info') d join timescaledb_information.chunks c
    on c.chunk_name = d.chunk_name where c.range_start = date_trunc('day', now() - interval '4 days')"
}
late_lines() { # SECONDS: twenty a second of the day before
  local end=$(($(now_ms) + $1 * 1000)) day number=0
  day=$(date -u -d '-4 days' +%F)
  while [ "$(now_ms)" -lt "$end" ]; do
    printf '%s 12:00:00,000 - INFO - late line %d\n' "$day" "$number" >>"$logs/1/late.log"
    number=$((number + 1))
    pause 0.05
  done
  late=$number
}
compressing() {
  [ "$(sql "select count(*) from pg_stat_activity a join pg_locks l on l.pid = a.pid
    where a.datname = current_database() and a.query like 'select compress_chunk(%' and l.mode = 'ExclusiveLock' and l.granted")" != 0 ]
}

compression() { # URL MB
  local mb=$2 from began
  server=$1 own_database=endurance_$$
  psql -Xq -d "$server" -c "create database $own_database"
  mkdir -p "$state"
  sed "s|/[^/?]*\\(?.*\\)\\{0,1\\}\$|/$own_database\\1|" <<<"$server" >"$state/database-url"
  start_collector --database "$(cat "$state/database-url")"
  start_hosts
  from=$(now_ms)
  pause 10
  pauses "nothing else" "$from"
  fill_chunk "$mb"
  say "MB of the chunk" "$(chunk_mb)"
  require "a chunk of $mb MB" at_least "$(chunk_mb)" "$mb"

  from=$(now_ms)
  pass
  until compressing; do pause 0.1; done
  say "s from the pass to its compression" "$(awk -v ms=$(($(now_ms) - from)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  late_lines 20
  pauses "late lines of host 1 while it is compressed" "$from"
  for _ in $(seq 100); do
    [ "$(sql "select count(*) from log_lines where message like 'late line%'")" != "$late" ] || break
    pause 0.2
  done
  say "late lines; rows" "$late; $(sql "select count(*) from log_lines where message like '%late line%'")"

  from=$(now_ms)
  pass
  until compressing; do pause 0.05; done
  began=$(now_ms)
  until [ "$(old_chunk is_compressed)" = t ]; do pause 0.2; done
  say "s to compress it; MB afterwards" "$(awk -v ms=$(($(now_ms) - began)) 'BEGIN { printf "%.1f", ms / 1000 }'); $(chunk_mb)"
  say "compressions that gave way" "$(grep -c 'gave way' "$dir/collector.err" || true)"
  pauses "a compression to its end" "$from"

  from=$(now_ms)
  late_lines 5
  pass
  pause 5
  pauses "late lines of a compressed chunk" "$from"
  each_line_once
}

# Ten days of lines that are beyond their time.
old_partitions() {
  sql "select signalbox.ensure_partition('log_info', now() - d * interval '1 day') from generate_series(35, 44) d" >"$dir/made"
  sql "insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
    select now() - (35 + i % 10) * interval '1 day', now() - interval '40 days', 1, i, 1, 2, 0, 'old line ' || i
    from generate_series(1, 200000) i"
}
left() { sql "select (select count(*) from signalbox.chunks('log_info') where until < now() - interval '30 days') + (select count(*) from signalbox.detached('log_info'))"; }
retained() { # SECONDS: until what is over its time is gone
  local end=$(($(now_ms) + $1 * 1000))
  until [ "$(left)" = 0 ]; do
    [ "$(now_ms)" -lt "$end" ] || return 0
    pause 0.2
  done
}

retention() {
  local from unread asked
  start_collector
  start_hosts
  from=$(now_ms)
  pause 10
  pauses "nothing else" "$from"

  old_partitions
  # More than a pipe holds, into one that is open here and not read.
  mkfifo "$dir/unread" "$dir/asked"
  exec {unread}<>"$dir/unread" {asked}<>"$dir/asked"
  "$bin/signalbox" logs --format ndjson --since 60d --state-dir "$state" >"$dir/unread" 2>>"$dir/logs.err" &
  helpers+=($!)
  pause 2
  require "the reader still reads" kill -0 "${helpers[-1]}"
  from=$(now_ms)
  pass
  retained 60
  say "beside signalbox logs into an unread pipe: partitions left; s" "$(left); $(awk -v ms=$(($(now_ms) - from)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  require "retention beside signalbox logs" [ "$(left)" = 0 ]
  require "the reader still reads" kill -0 "${helpers[-1]}"
  pauses "retention beside signalbox logs" "$from"

  old_partitions
  psql -XqAt -d "$(cat "$state/database-url")" <"$dir/asked" >"$dir/counted" &
  helpers+=($!)
  echo "begin; select count(*) from log_lines;" >&"$asked"
  until [ -s "$dir/counted" ]; do pause 0.1; done
  from=$(now_ms)
  pass
  retained 60
  say "beside a transaction that has read the table: partitions left" "$(left) after 60 s"
  pauses "retention beside a transaction" "$from"
  from=$(now_ms)
  sql "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'" >/dev/null
  pass
  retained 120
  say "after it: partitions left; s" "$(left); $(awk -v ms=$(($(now_ms) - from)) 'BEGIN { printf "%.1f", ms / 1000 }')"
  require "retention after the transaction" [ "$(left)" = 0 ]
  pauses "retention after the transaction" "$from"
  each_line_once
}

# A hole is passed over, however long: other files, samples and signals do not wait for it.
sparse() {
  local delay
  begin
  start_agent
  until [ -n "$(age)" ]; do pause 0.1; done
  say "cores without it, 20 s" "$(cores 20)"
  # Lines at both ends, so that the hole lies between two pieces of text.
  echo "before the hole" >"$logs/hole.log"
  truncate -s "${1}T" "$logs/hole.log"
  echo "behind the hole" >>"$logs/hole.log"
  used=$(cores 20)
  say "cores with a hole of $1 TiB, its first 20 s (≤ 0.2)" "$used"
  require "cores while the hole is passed over" at_most "$used" 0.2
  delay=$(line_delay "$logs/other.log" sparse)
  say "ms to a line of another file (≤ 5000)" "$delay"
  require "active lines within 5 s" at_most "$delay" 5000
  say "age of the newest committed sample (≤ $age_max s)" "$(age || true)"
  lines=$(sql "select string_agg(message, ', ' order by message) from log_lines where message like '%the hole'")
  say "lines around the hole" "$lines"
  require "both lines around the hole" [ "$lines" = "before the hole, behind the hole" ]
  say "agent MiB resident: peak (≤ $agent_mib_max)" "$(memory "$agent" VmHWM)"
  from=$(now_ms)
  kill "$agent"
  wait "$agent" || true
  say "ms from SIGTERM to the agent's end" "$(($(now_ms) - from))"
  agent=''
}

case "$part" in
database-away) database_away "${2:-600}" "${3:-stopped}" ;;
disk-full) disk_full "${2:-120}" ;;
backlog) backlog "${2:-10}" ;;
many-files) many_files "${2:-100000}" ;;
housekeeping) case "${2:-}" in *://*) compression "$2" "${3:-900}" ;; *) retention ;; esac ;;
sparse) sparse "${2:-1}" ;;
*)
  sed -n '2,12s/^# //p' "$0"
  exit 2
  ;;
esac
[ "$failures" = 0 ] && echo "passed" || { echo "$failures wrong"; exit 1; }
