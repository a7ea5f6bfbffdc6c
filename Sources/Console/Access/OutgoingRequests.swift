internal import EventLoop
internal import Outbound

/// The request of libcurl's wrapper, beside which there is the server's type of the same name.
typealias OutgoingRequest = Outbound.HTTPRequest

/// HTTPS requests of the console to services outside the fleet. Each has a deadline, and an answer a limit.
///
/// One thread of its own sends them side by side: a service that is slow holds up neither pages nor requests to another one.
final class OutgoingRequests: Sendable {
  private typealias Reply = @Sendable (Result<OutboundAnswer, OutboundError>) -> Void

  private struct Order: Sendable {
    let request: OutgoingRequest
    let deadlineMs: Int
    let reply: Reply
  }

  private let mailbox: Mailbox<Order>
  private let thread: LoopThread

  init() throws(LoopError) {
    let mailbox = try Mailbox<Order>(limit: OutboundLimits.transfersMax)
    self.mailbox = mailbox
    thread = try LoopThread("outgoing") { Self.run(mailbox) }
  }

  /// What is under way ends first, each by its deadline at the latest.
  func stop() {
    mailbox.close()
    thread.join()
  }

  /// - Parameter deadlineMs: for all of it.
  /// - Throws: `OutboundError` where there is no answer; one with an HTTP status of failure is an answer.
  func send(_ request: OutgoingRequest, deadlineMs: Int) async throws -> OutboundAnswer {
    try await withCheckedThrowingContinuation { continuation in
      let order = Order(request: request, deadlineMs: deadlineMs) { result in
        continuation.resume(with: result.mapError { $0 as any Error })
      }
      if !mailbox.post(order) {
        continuation.resume(throwing: OutboundError(code: 0, message: "too many requests are waiting"))
      }
    }
  }

  private static func run(_ mailbox: Mailbox<Order>) {
    let transfers = try? Transfers()
    var replies: [Int: Reply] = [:]
    var nextTag = 0
    while true {
      let orders = replies.isEmpty ? mailbox.wait(maximumMs: -1) : mailbox.take()
      if orders.isEmpty, replies.isEmpty, mailbox.isClosed { return }
      for order in orders {
        do throws(OutboundError) {
          guard let transfers else { throw OutboundError(code: 0, message: "libcurl does not start") }
          try transfers.begin(.http(order.request), tag: nextTag, deadlineMs: order.deadlineMs)
          replies[nextTag] = order.reply
          nextTag += 1
        } catch {
          order.reply(.failure(error))
        }
      }
      guard let transfers, !replies.isEmpty else { continue }
      for (tag, result) in transfers.work(waitMs: 1_000, descriptors: [mailbox.readableDescriptor]) {
        replies.removeValue(forKey: tag)?(result)
      }
    }
  }
}
