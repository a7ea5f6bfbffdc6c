/// One number of state of one rule, one of its conditions and one entity, with what is remembered there.
struct Slot: Equatable {
  var key: UInt64
  var a: Int64
  var b: Int64

  /// `b` as a number.
  var number: Double {
    get { Double(bitPattern: UInt64(bitPattern: b)) }
    set { b = Int64(bitPattern: newValue.bitPattern) }
  }
}

/// What the engine remembers of one host: only what is not at rest, sorted by rule, condition and entity.
///
/// Why sparse: a host on which nothing is wrong has next to no state, and 24 bytes a remembered number hold a host with
/// 80 rules below 2 kB. A lookup is a binary search in one small array.
struct SlotTable: Equatable {
  private(set) var slots: [Slot] = []
  /// A bit a rule: whether it has any slot.
  private var active: [UInt64] = []

  /// Bits: rule 12, condition 8, entity 36, number 8.
  static func key(_ rule: Int, _ node: Int, _ entity: Int, _ sub: Int = 0) -> UInt64 {
    UInt64(rule) << 52 | UInt64(node) << 44 | UInt64(entity) << 8 | UInt64(sub)
  }
  static func rule(_ key: UInt64) -> Int { Int(key >> 52) }
  static func node(_ key: UInt64) -> Int { Int(key >> 44 & 0xff) }
  static func entity(_ key: UInt64) -> Int { Int(key >> 8 & 0xf_ffff_ffff) }
  static func sub(_ key: UInt64) -> Int { Int(key & 0xff) }

  init() {}

  /// - Parameter slots: in any order.
  init(_ slots: [Slot]) {
    self.slots = slots.sorted { $0.key < $1.key }
    for slot in slots { mark(Self.rule(slot.key)) }
  }

  @inline(__always)
  func isActive(_ rule: Int) -> Bool {
    let word = rule >> 6
    return word < active.count && active[word] >> UInt64(rule & 63) & 1 == 1
  }

  private mutating func mark(_ rule: Int) {
    while active.count <= rule >> 6 { active.append(0) }
    active[rule >> 6] |= 1 << UInt64(rule & 63)
  }

  /// The first index whose key is not less.
  func lowerBound(_ key: UInt64) -> Int {
    var (low, high) = (0, slots.count)
    while low < high {
      let middle = (low + high) >> 1
      if slots[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  subscript(key: UInt64) -> Slot? {
    get {
      let place = lowerBound(key)
      return place < slots.count && slots[place].key == key ? slots[place] : nil
    }
    set {
      let place = lowerBound(key)
      let exists = place < slots.count && slots[place].key == key
      if let newValue {
        if exists {
          slots[place] = newValue
        } else {
          // Room for a few: doubling would leave half of it empty on each of many hosts.
          if slots.count == slots.capacity { slots.reserveCapacity(slots.count + max(4, slots.count / 8)) }
          slots.insert(newValue, at: place)
          mark(Self.rule(key))
        }
      } else if exists {
        remove(place..<place + 1, rule: Self.rule(key))
      }
    }
  }

  mutating func set(_ key: UInt64, _ a: Int64, _ b: Int64) { self[key] = Slot(key: key, a: a, b: b) }

  /// Indexes of all numbers of one condition and entity.
  func numbers(_ rule: Int, _ node: Int, _ entity: Int, from base: Int = 0, below sub: Int = 256) -> Range<Int> {
    let low = lowerBound(Self.key(rule, node, entity, base))
    var high = low
    let end = Self.key(rule, node, entity) + UInt64(sub)
    while high < slots.count, slots[high].key < end { high += 1 }
    return low..<high
  }

  /// The oldest of the values of a window, where none of them is too old and it is too early for another one.
  func unchanged(_ places: Range<Int>, _ timeNs: Int64, _ windowNs: Int64, _ spacingNs: Int64) -> Slot? {
    guard !places.isEmpty, timeNs - slots[places.upperBound - 1].a < spacingNs else { return nil }
    if places.count > 1, timeNs - slots[places.lowerBound + 1].a >= windowNs { return nil }
    let first = slots[places.lowerBound]
    return timeNs - first.a > 3 * windowNs ? nil : first
  }

  /// Indexes of all that a condition remembers, of all entities.
  func things(_ rule: Int, _ node: Int) -> Range<Int> {
    let low = lowerBound(Self.key(rule, node, 0))
    var high = low
    while high < slots.count, slots[high].key >> 44 == UInt64(rule) << 8 | UInt64(node) { high += 1 }
    return low..<high
  }

  /// Whether a condition remembers anything.
  func hasAny(_ rule: Int, _ node: Int) -> Bool {
    guard isActive(rule) else { return false }
    let low = lowerBound(Self.key(rule, node, 0))
    return low < slots.count && slots[low].key >> 44 == UInt64(rule) << 8 | UInt64(node)
  }

  /// Indexes of all that a rule remembers.
  func places(_ rule: Int) -> Range<Int> {
    let low = lowerBound(Self.key(rule, 0, 0))
    var high = low
    while high < slots.count, Self.rule(slots[high].key) == rule { high += 1 }
    return low..<high
  }

  mutating func remove(_ range: Range<Int>, rule: Int) {
    if range.isEmpty { return }
    slots.removeSubrange(range)
    let low = range.lowerBound
    let hasBefore = low > 0 && Self.rule(slots[low - 1].key) == rule
    let hasBehind = low < slots.count && Self.rule(slots[low].key) == rule
    if !hasBefore && !hasBehind { active[rule >> 6] &= ~(1 << UInt64(rule & 63)) }
  }

  /// Forgets entities; their indexes may then be reused.
  mutating func forget(entities: Set<Int>) {
    self = SlotTable(slots.filter { !entities.contains(Self.entity($0.key)) })
  }

  /// Changes what is remembered, not of what.
  mutating func adjust(_ change: (inout Slot) -> Void) {
    for place in slots.indices {
      let key = slots[place].key
      change(&slots[place])
      slots[place].key = key
    }
  }

  /// Bytes on the heap.
  var bytes: Int { (slots.isEmpty ? 0 : 32 + slots.capacity * 24) + (active.isEmpty ? 0 : 32 + active.capacity * 8) }
}
