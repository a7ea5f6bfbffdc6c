internal import Files
internal import Store
internal import Synchronization
internal import TLS

/// Who was let in a short while ago. It is asked only while the database is away, so that a page that can be shown from memory still is: no
/// one can be let in anew meanwhile, and no credential can be ended.
final class KnownCallers: Sendable {
  private struct Entry {
    let secretHash: [UInt8]
    let caller: Caller
    let checkedNs: Int64
  }

  /// One that the database has not confirmed for so long has to wait for it.
  private static let maxAgeNs: Int64 = 15 * 60_000_000_000
  private static let entriesMax = 10_000
  /// For who is known; a login waits for the database as long as any question.
  private static let patience = Duration.seconds(3)

  private let entries = Mutex<[String: Entry]>([:])

  /// - Parameter ask: asks the database; nil for a credential that is not valid.
  /// - Throws: what `ask` throws, except where the database is away and the credential is known.
  func caller(
    _ token: AccessToken, or ask: @escaping @Sendable () async throws -> Caller?
  ) async throws -> Caller? {
    let (id, secretHash, nowNs) = (token.id, token.secretHash, Clock.monotonicNs())
    let entry = entries.withLock { $0[id] }.flatMap { entry in
      nowNs - entry.checkedNs <= Self.maxAgeNs && Digest.equal(entry.secretHash, secretHash) ? entry : nil
    }
    do {
      let caller = try await entry == nil ? ask() : Deadline.wait(Self.patience, for: ask)
      entries.withLock { entries in
        if entries.count >= Self.entriesMax { entries.removeAll() }
        entries[id] = caller.map { Entry(secretHash: secretHash, caller: $0, checkedNs: nowNs) }
      }
      return caller
    } catch let problem as Problem where problem == .databaseAway {
      guard let entry else { throw problem }
      return entry.caller
    }
  }
}
