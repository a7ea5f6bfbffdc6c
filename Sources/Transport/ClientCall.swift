internal import EventLoop
package import HTTP2
package import RPC

/// One call of a client.
package final class ClientCall {
  package let path: String
  /// Each message's bytes, valid for the call of the closure; the window is given back afterwards.
  package var onMessage: ((borrowing Span<UInt8>) -> Void)?
  /// The response's head, before any message.
  package var onHeaders: (([HeaderField]) -> Void)?
  /// All that was queued has gone out.
  package var onWritable: (() -> Void)?
  /// Once, at the end, with the trailers.
  package var onStatus: ((RPCStatus, [HeaderField]) -> Void)?

  private let client: RPCClient
  private var stream: Int32?
  private var deframer: MessageDeframer
  private var status: RPCStatus?
  private var trailers: [HeaderField] = []
  private var deadline: TimerID?
  private var isOver = false
  private var hasFinishedSending = false

  init(client: RPCClient, path: String) {
    self.client = client
    self.path = path
    deframer = MessageDeframer(limitBytes: client.limits.messageBytes)
  }

  package var isOpen: Bool { !isOver }

  /// Queues one message. What waits is bounded by the caller, by `queuedBytes` and `onWritable`.
  /// - Returns: false where the call is over.
  @discardableResult
  package func send(_ message: borrowing Span<UInt8>) -> Bool {
    guard !isOver, !hasFinishedSending, let stream else { return false }
    client.session?.send(stream, prefix: MessageDeframer.prefix(message.count), message)
    client.scheduleFlush()
    return true
  }

  @discardableResult
  package func send(_ message: [UInt8]) -> Bool { send(message.span) }

  /// No more messages.
  package func finishSending() {
    guard !isOver, !hasFinishedSending, let stream else { return }
    hasFinishedSending = true
    client.session?.finish(stream)
    client.scheduleFlush()
  }

  /// Ends the call at once with CANCELLED.
  package func cancel() { abandon(RPCStatus(.cancelled, "cancelled by the caller")) }

  /// Bytes that wait for the server's window or the network.
  package var queuedBytes: Int { stream.flatMap { client.session?.queuedBytes($0) } ?? 0 }

  // MARK: For the client

  func begin(_ stream: Int32, timeoutNs: Int64?) {
    self.stream = stream
    guard let timeoutNs else { return }
    deadline = client.loop.after(timeoutNs) { [weak self] in
      self?.abandon(RPCStatus(.deadlineExceeded, "the deadline has passed"))
    }
  }

  private func abandon(_ status: RPCStatus) {
    guard !isOver else { return }
    if let stream {
      client.forget(stream)
      client.session?.reset(stream, errorCode: 8)
      client.scheduleFlush()
    }
    end(status)
  }

  func headersArrived(_ fields: [HeaderField]) {
    let http = fields.first { $0.name == ":status" }?.value
    if http != "200" { return abandon(.ofHTTP(http.flatMap { Int($0) } ?? 0)) }
    if let found = Self.status(fields) {
      // A response without messages: its head is its end.
      status = found
      trailers = fields
    } else if !RPCHeaders.isGRPC(contentType: fields.first { $0.name == "content-type" }?.value) {
      return abandon(RPCStatus(.unknown, "the response is not gRPC"))
    }
    onHeaders?(fields)
  }

  func trailersArrived(_ fields: [HeaderField]) {
    status = Self.status(fields)
    trailers = fields
  }

  func received(_ bytes: borrowing Span<UInt8>) {
    guard !isOver else { return }
    // Taken out, because the handler may come back to this call.
    var deframer = self.deframer
    var failure: FramingError?
    do throws(FramingError) {
      try deframer.feed(bytes) { message in
        if !isOver { onMessage?(message) }
      }
    } catch {
      failure = error
    }
    self.deframer = deframer
    if let failure { abandon(failure.status) }
  }

  func drained() { if !isOver { onWritable?() } }

  func closed(_ errorCode: UInt32) {
    if let status { return end(status) }
    end(errorCode == 0 ? RPCStatus(.internal, "the response has no status") : .ofReset(errorCode))
  }

  func end(_ status: RPCStatus) {
    guard !isOver else { return }
    isOver = true
    if let deadline { client.loop.cancel(deadline) }
    deadline = nil
    let report = onStatus
    onMessage = nil
    onHeaders = nil
    onWritable = nil
    onStatus = nil
    report?(status, trailers)
  }

  private static func status(_ fields: [HeaderField]) -> RPCStatus? {
    guard let text = fields.first(where: { $0.name == "grpc-status" })?.value else { return nil }
    let code = Int(text).flatMap { RPCCode(rawValue: $0) } ?? .unknown
    let message = fields.first { $0.name == "grpc-message" }?.value ?? ""
    return RPCStatus(code, RPCHeaders.decode(message: message))
  }
}
