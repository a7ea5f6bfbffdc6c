#!/usr/bin/env bash
# Breaks the code on purpose, one way at a time, and prints which seed of the simulation notices first.
#
# A check that nothing can fail proves nothing. All mutations are put into one copy of the tree, each behind its number, so
# that one build serves them all. A mutation whose place is no longer found ends the script: then it must be written anew.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-3000}
copy=$(mktemp -d /tmp/signalbox-mutations-XXXXXX)
trap 'rm -rf "$copy"' EXIT
git ls-files -z -- Package.swift Package.resolved Sources Tests Benchmarks | xargs -0 cp --parents -t "$copy"
for part in checkouts repositories workspace-state.json; do
  if [[ -e .build/$part ]]; then mkdir -p "$copy/.build" && cp -r ".build/$part" "$copy/.build/"; fi
done

cat > "$copy/Sources/FleetModel/Mutation.swift" <<'SWIFT'
internal import Glibc

/// Which mutation is on; 0: none.
package let mutation = unsafe getenv("SIGNALBOX_MUTATION").flatMap { unsafe Int(String(cString: $0)) } ?? 0
SWIFT

names=()
# mutate NAME FILE FROM TO: the first FROM becomes TO; N stands for the mutation's number.
mutate() {
  local file=$copy/Sources/$2 text
  names+=("$1")
  text=$(< "$file")
  [[ $text == *"$3"* ]] || { echo "mutations.sh: not found in $2: $3" >&2; exit 1; }
  printf '%s\n' "${text/"$3"/"${4//mutation N/mutation == ${#names[@]}}"}" > "$file"
  [[ $2 == FleetModel/* ]] || grep -q '^\(internal\|package\) import FleetModel' "$file" || sed -i '1i internal import FleetModel' "$file"
}

mutate "the collector acks what it has received, not what is committed" Collector/Gateway/HostSession.swift \
  '.ack(number: lastAcked)' '.ack(number: mutation N ? lastNumber : lastAcked)'
mutate "a group whose COMMIT has no answer is not committed again" Collector/Writer/GroupCommit.swift \
  '    queue[0] = group' '    if mutation N && failure == .unknown { queue.removeFirst() } else { queue[0] = group }'
mutate "a commit does not look at the epoch" Store/Commit/GroupPlan.swift \
  'marks.epochs[staged.hostNumber] == staged.epoch' '(mutation N) || marks.epochs[staged.hostNumber] == staged.epoch'
mutate "marks are committed without their rows" Store/Commit/GroupPlan.swift \
  'spooled += change.spooled' 'if !(mutation N) { spooled += change.spooled }'
mutate "rows are committed without their marks" Store/Commit/GroupPlan.swift \
  'marks.files[key] = position' 'if !(mutation N) { marks.files[key] = position }'
mutate "a file goes on where it was sent, not where it was committed" Agent/Following/Followers+Resuming.swift \
  'file.rewind(to: mark.offset, tailHash: mark.tailHash)' 'if !(mutation N) { file.rewind(to: mark.offset, tailHash: mark.tailHash) }'
mutate "a lane goes on where it was sent, not where it was committed" Agent/Spool/SpoolLane.swift \
  '    cursor = mark + 1' '    if !(mutation N) { cursor = mark + 1 }'
mutate "a file of a mark's name and inode is believed without comparing its bytes" Agent/Following/Followers+Copies.swift \
  '    let count = Int(old.identity.headLength)' '    if mutation N { return status.sizeBytes >= old.offset }
    let count = Int(old.identity.headLength)'
mutate "a copy beside its original is read as well" Agent/Following/Followers+Copies.swift \
  'guard file.offset == 0, let path' 'guard !(mutation N), file.offset == 0, let path'
mutate "the loss of a file is not reported" Agent/Following/Followers+Reading.swift \
  'if loss.to > loss.from || loss.isEstimate {' 'if !(mutation N), loss.to > loss.from || loss.isEstimate {'
mutate "the loss of a record is not reported" Agent/Spool/SpoolLane.swift \
  'content: .gap(losses)' 'content: .gap(mutation N ? [] : losses)'
mutate "the spool is not synced" Agent/Spool/Spool+Writing.swift \
  '      try disk.sync(segment.name)
      lanes[index].syncedThrough' '      if !(mutation N) { try disk.sync(segment.name) }
      lanes[index].syncedThrough'
mutate "what a power cut may have taken is not reported" Agent/Spool/SpoolScan.swift \
  'if through <= last {' 'if (mutation N) || through <= last {'
mutate "a start does not jump ahead in the numbers" Agent/Spool/Spool.swift \
  'highest == 0 ?' '(mutation N) || highest == 0 ?'
mutate "a clone's use of the spool is not noticed" Agent/Spool/Spool.swift \
  'where lane.isForeign(mark) {' 'where !(mutation N) && lane.isForeign(mark) {'
mutate "file identities are remembered from one stream to the next" Agent/Uplink/UplinkSession.swift \
  '    announced = AnnouncedFiles()
    partialMarks' '    if !(mutation N) { announced = AnnouncedFiles() }
    partialMarks'
mutate "a step of the clock is not noticed" Agent/Following/Followers.swift \
  'if lastNowNs != .min, nowNs' 'if !(mutation N), lastNowNs != .min, nowNs'
mutate "a rule state replaces another one of its epoch, whatever its number" FleetModel/Commit.swift \
  'kept.map { $0 < self } ?? true' 'kept.map { (mutation N) ? $0.epoch <= epoch : $0 < self } ?? true'
mutate "a rule state is saved before its facts, on a way of its own" Simulation/SimulatedCollector.swift \
  '      if let passed = rules.observe(batch, of: number, bytes: bytes) {' \
  '      if var passed = rules.observe(batch, of: number, bytes: bytes) {
        if mutation N, let state = passed.ruleState {
          world.store.save(state, of: batch.hostNumber)
          passed.ruleState = nil
        }
       '
mutate "a rule state is saved after its facts, in a transaction of its own" Collector/Rules/RuleStateLedger.swift \
  'let carries = needsSave && maySave' 'let carries = needsSave && maySave && !(mutation N)'
mutate "a rule state is saved whatever becomes of its batch" Store/Commit/GroupPlan.swift \
  'guard outcome == .committed' 'guard (mutation N) || outcome == .committed'
mutate "a rule state is saved before its findings are recorded" Collector/Rules/RuleStateLedger.swift \
  '(carries, carries || hasFindings' '(carries, (carries && !(mutation N)) || hasFindings'
mutate "facts do not wait for their findings" Collector/Rules/FindingGate.swift \
  'record <= recordedThrough &&' '((mutation N) || record <= recordedThrough) &&'
mutate "a new stream does not save again what was judged and not committed" Collector/Rules/RuleStateLedger.swift \
  'isDue = !takesKept' 'isDue = !(mutation N) && !takesKept'
mutate "a state in memory is preferred to the newer one that another collector has saved" Collector/Rules/RuleStateLedger.swift \
  'let takesKept = kept?.replaces(own) ?? false' 'let takesKept = (mutation N) ? own == nil && kept != nil : kept?.replaces(own) ?? false'

mutate "rows may be claimed before memory has released them" Paging/WriteQueue.swift \
  'let free = reservations.filter { $0.through <= released }' 'let free = reservations.filter { (mutation N) || $0.through <= released }'
mutate "a message is not kept before it is sent" Paging/Handover.swift \
  'taken + sends.flatMap(begun)' 'taken + (mutation N ? [] : sends.flatMap(begun))'
mutate "an answer that comes after the release is not reported" Paging/Handover+Sending.swift \
  'if held[at.held].isCommitted { late' 'if held[at.held].isCommitted, !(mutation N) { late'
mutate "a change that comes again is held twice" Paging/Handover.swift \
  'if known.contains(Known(change))' 'if !(mutation N), known.contains(Known(change))'
mutate "what was sent by itself goes out again in a list" Incidents/PagingPolicy.swift \
  'due.bundle != nil || due.isBegun' 'due.bundle != nil || !(mutation N) && due.isBegun'
mutate "a page from memory is reported without the list it went out in" Paging/Handover.swift \
  '(page.bundle, page.list, page.reached)' '(mutation N ? nil : page.bundle, page.list, page.reached)'
mutate "an end from memory does not wait for its page" Paging/Handover+Planning.swift \
  'var busy = Set(pages' 'var busy = mutation N ? [] : Set(pages'
mutate "memory sends the end of another incident" Paging/Handover+Planning.swift \
  'planEnd(index, to: receiver, list: list' 'planEnd(mutation N ? ordinal : index, to: receiver, list: list'
mutate "memory goes on sending what the database has" Paging/Handover+Sending.swift \
  'for held in held where held.isOwned {
      for page in held.pages {
        guard' 'for held in held where (mutation N) || held.isOwned {
      for page in held.pages {
        guard'

echo "building ${#names[@]} mutations" >&2
log=$copy/build.log
swift build --package-path "$copy" -c release --product signalbox-simulate > "$log" 2>&1 || { grep error "$log" >&2; exit 1; }
simulate=$copy/.build/release/signalbox-simulate
"$simulate" --seeds 100 >&2

echo "| mutation | seed | noticed as |"
echo "|---|---|---|"
missed=0
for index in "${!names[@]}"; do
  first=$({ SIGNALBOX_MUTATION=$((index + 1)) "$simulate" --seeds "$seeds" 2>&1 || true; } | grep -m1 '^seed [0-9]*:' || true)
  if [[ -z $first ]]; then
    missed=$((missed + 1))
    first="seed none: not noticed in $seeds seeds"
  fi
  seed=${first%%:*}
  echo "| ${names[index]} | ${seed#seed } | $(sed -E 's/x{4,}/xxx/; s/\|//g' <<< "${first#*: }") |"
done
exit $((missed > 0))
