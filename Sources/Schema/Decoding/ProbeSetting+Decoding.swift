internal import CSchema
internal import FleetModel

// `tree` lies in the arena of the decode that is under way, which outlives each call; values are copied out.

extension ProbeSetting: @unsafe TreeMessage {
  init(_ tree: UnsafePointer<Signalbox__V1__ProbeSetting>) throws(SchemaError) {
    self.init(
      unsafe ProbeKind(number: tree.pointee.kind.rawValue),
      try unsafe Tree.text(tree.pointee.name, "ProbeSetting.name", limit: Self.nameBytes),
      target: try unsafe Tree.text(tree.pointee.target, "ProbeSetting.target", limit: Self.targetBytes))
    // Strange times cost a probe its rhythm, not the host its settings: the agent keeps them within its bounds.
    everyNs = unsafe Int64(tree.pointee.every_ms) * 1_000_000
    timeoutNs = unsafe Int64(tree.pointee.timeout_ms) * 1_000_000
    settleNs = unsafe Int64(tree.pointee.settle_ms) * 1_000_000
    socket = try unsafe Tree.text(tree.pointee.socket, "ProbeSetting.socket", limit: Self.socketBytes)
    service = try unsafe Tree.text(tree.pointee.service, "ProbeSetting.service", limit: Self.serviceBytes)
    expectStatus = unsafe tree.pointee.expect_status
    expectBody = try unsafe Tree.text(
      tree.pointee.expect_body, "ProbeSetting.expect_body", limit: Self.expectBodyBytes)
    let count = unsafe tree.pointee.n_arguments
    guard count <= Self.arguments else {
      throw .tooMany(field: "ProbeSetting.arguments", count: count, limit: Self.arguments)
    }
    guard let words = unsafe tree.pointee.arguments else { return }
    var left = Self.argumentBytesTotal
    for index in 0..<count {
      let word = try unsafe Tree.text(words[index], "ProbeSetting.arguments", limit: left)
      left -= word.utf8.count
      arguments.append(word)
    }
  }
}
