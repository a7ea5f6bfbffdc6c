#!/bin/bash
# Tests/Fuzz/run.sh SECONDS [NAME…]: fuzzes each target (or those named) for so long, on one core. A crash leaves its input
# in Tests/Fuzz/NAME/FailCases, where the unit tests replay it, and makes the exit code 1.
set -u
cd "$(dirname "$0")/../.."
seconds=${1:?seconds for each target}
shift
# Without this, a crash starts a back-tracer that keeps the output open for minutes.
export SWIFT_BACKTRACE=enable=no SIGNALBOX_FUZZ=1
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
scratch=${SIGNALBOX_FUZZ_SCRATCH:-.build-fuzz}
swift build -c release --scratch-path "$scratch" --product FuzzDriver -j 1 \
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing || exit 2
driver=$scratch/release/FuzzDriver
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <("$driver")
failed=0
for name in "${names[@]}"; do
  home=Tests/Fuzz/$name
  corpus=$scratch/corpus/$name
  log=$scratch/$name.log
  mkdir -p "$corpus" "$home/FailCases"
  SIGNALBOX_FUZZ_TARGET=$name timeout --kill-after=10 $((seconds + 60)) nice "$driver" "$corpus" "$home"/Seeds "$home"/FailCases \
    -max_total_time="$seconds" -max_len=4096 -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$home/FailCases/" >"$log" 2>&1
  code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
  if [ $code -eq 0 ]; then
    echo "$name: ${runs:-?} inputs in $seconds s, ${covered:-cov: ?}, no crash"
  else
    failed=1
    echo "$name: FAILED ($code), see $log"
    grep -m 3 -E 'Fatal error|ERROR: |precondition|SUMMARY|artifact' "$log"
  fi
  rmdir --ignore-fail-on-non-empty "$home/FailCases"
done
exit $failed
