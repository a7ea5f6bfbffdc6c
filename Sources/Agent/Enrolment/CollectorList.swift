internal import TLS

/// Which addresses an agent keeps of those that its collector announces.
enum CollectorList {
  /// - Parameter announced: HOST:PORT, from the collector; what is none is left out.
  /// - Parameter inUse: the address of the open connection: the last one where it is not announced.
  /// - Returns: at most as many as a join token holds, and the one in use; empty where none was announced.
  static func merged(_ announced: [String], inUse: CollectorAddress) -> [CollectorAddress] {
    var list: [CollectorAddress] = []
    for text in announced {
      if let address = CollectorAddress(text), !list.contains(address), list.count < JoinToken.addressesMax {
        list.append(address)
      }
    }
    return list.isEmpty || list.contains(inUse) ? list : list + [inUse]
  }
}
