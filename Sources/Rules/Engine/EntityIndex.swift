internal import FleetModel

/// Finds a host's entities by name once there are too many to look through: 1 000 mounts would be compared a million times a sample.
struct EntityIndex: Equatable {
  /// Up to so many entities are looked through, without an index: most hosts have fewer.
  static let searchedMax = 32

  private struct Name: Hashable {
    let kind: EntityKind
    let name: ByteName
  }

  /// nil until it is first asked for.
  private var places: [Name: Int]?
  /// Indexes of entities that were forgotten; nil until one is first asked for.
  private var free: [Int]?

  mutating func place(of kind: EntityKind, _ name: String, _ entities: [Entity]) -> Int? {
    if places == nil {
      places = [:]
      for place in entities.indices.dropFirst() { add(entities[place], at: place) }
    }
    return places?[Name(kind: kind, name: ByteName(name))]
  }

  /// Index 0 is the host itself; other indexes of its kind are free.
  mutating func takeFree(_ entities: [Entity]) -> Int? {
    if free == nil { free = entities.indices.dropFirst().filter { entities[$0].kind == .host } }
    return free?.popLast()
  }

  mutating func add(_ entity: Entity, at place: Int) {
    if entity.kind != .host { places?[Name(kind: entity.kind, name: ByteName(entity.name))] = place }
  }

  /// Bytes on the heap, without the names, which the entities hold.
  var bytes: Int { (places?.capacity ?? 0) * (MemoryLayout<Name>.stride + 8) + (free?.capacity ?? 0) * 8 }
}
