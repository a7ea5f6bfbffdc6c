internal import EventLoop
package import HTTP2
package import RPC

/// One call on a server. After it has ended every method does nothing; `isOpen` shows it.
package final class ServerCall {
  /// Unique in its server; survives the call, so that a late answer finds nothing instead of another call.
  package let id: UInt64
  package let path: String
  package let peer: RPCPeer
  /// The request's own fields, without pseudo-headers, content type, encoding and timeout.
  package let metadata: [HeaderField]

  /// Each message's bytes, valid for the call of the closure. Call `consumed` with its size once there is room for more.
  package var onMessage: ((borrowing Span<UInt8>) -> Void)?
  /// The peer sends no more messages.
  package var onEnd: (() -> Void)?
  /// Once, when the call has ended by anything but the handler's own `finish`: cancelled, disconnected, deadline, limit.
  package var onClosed: ((RPCStatus) -> Void)?
  /// Why the connection below it is gone; nil where only the call has ended.
  package internal(set) var disconnect: DisconnectReason?
  /// The server wants to stop: finish soon.
  package var onDrain: (() -> Void)?

  private enum State { case open, finished, over }

  private unowned let server: RPCServer
  // Each holds the other until the stream is gone: `ended` always comes.
  private var connection: ServerConnection?
  private let stream: Int32
  private let timeoutNs: Int64?
  private var state = State.open
  private var hasSentHeaders = false
  private var deframer: MessageDeframer
  private var credit = FlowCredit()
  private var isFeeding = false
  private var deadline: TimerID?

  /// - Parameter messageBytes: largest request message; a longer one ends the call when its prefix has come.
  init(server: RPCServer, connection: ServerConnection, stream: Int32, head: RequestHead, messageBytes: Int) {
    self.server = server
    self.connection = connection
    self.stream = stream
    server.lastCallID += 1
    id = server.lastCallID
    path = head.path
    metadata = head.metadata
    timeoutNs = head.timeoutNs
    peer = connection.peer
    deframer = MessageDeframer(limitBytes: messageBytes)
  }

  package var isOpen: Bool { state == .open }

  // MARK: For the handler

  /// Sends the response's head now instead of with the first message.
  package func sendHeaders(_ metadata: [HeaderField] = []) {
    guard state == .open, !hasSentHeaders else { return }
    hasSentHeaders = true
    connection?.session?.respond(stream, responseHead + metadata, endStream: false)
    connection?.scheduleFlush()
  }

  /// - Returns: false where the call is over, also because the peer does not read and too much would wait.
  @discardableResult
  package func send(_ message: borrowing Span<UInt8>) -> Bool {
    guard state == .open, let session = connection?.session else { return false }
    sendHeaders()
    let prefix = MessageDeframer.prefix(message.count)
    if !session.send(stream, prefix: prefix, message, limitBytes: server.limits.queuedBytesPerCall) {
      reset(RPCStatus(.resourceExhausted, "the peer does not read"))
      return false
    }
    server.counters.messagesSent += 1
    connection?.scheduleFlush()
    return true
  }

  @discardableResult
  package func send(_ message: [UInt8]) -> Bool { send(message.span) }

  /// Ends the call.
  package func finish(_ status: RPCStatus, metadata: [HeaderField] = []) {
    guard state == .open else { return }
    state = .finished
    settle()
    guard let connection, let session = connection.session else { return }
    let trailers = statusFields(status) + metadata
    if hasSentHeaders {
      session.finish(stream, trailers: trailers)
    } else {
      session.respond(stream, responseHead + trailers, endStream: true)
    }
    connection.scheduleFlush()
  }

  /// One message and a good end.
  package func reply(_ message: [UInt8]) {
    if send(message) { finish(.ok) }
  }

  /// Gives the peer room for as many bytes: the size of a message that `onMessage` has handed over. May come later.
  /// - Parameter messages: how many of them `messageBytes` is the sum of. Each has a prefix: one that is left out counts as
  ///   waiting for ever, and a message larger than the window would then never come through.
  package func consumed(_ messageBytes: Int, messages: Int = 1) {
    credit.consumed(messageBytes + messages * MessageDeframer.prefixBytes)
    giveCredit()
  }

  /// Bytes that wait to be sent.
  package var queuedBytes: Int { connection?.session?.queuedBytes(stream) ?? 0 }

  // MARK: For the connection

  func begin() {
    server.calls[id] = self
    guard let timeoutNs else { return }
    deadline = server.loop.after(timeoutNs) { [weak self] in
      self?.end(RPCStatus(.deadlineExceeded, "the deadline has passed"))
    }
  }

  /// Refuses without having begun.
  func refuse(_ status: RPCStatus) {
    server.counters.callsRefused += 1
    finish(status)
  }

  func received(_ bytes: borrowing Span<UInt8>) {
    credit.received(bytes.count)
    guard state == .open else { return giveCredit(all: true) }
    // Taken out, because the handler may come back to this call.
    var deframer = self.deframer
    isFeeding = true
    var failure: FramingError?
    do throws(FramingError) {
      try deframer.feed(bytes) { message in
        credit.delivered(message.count + MessageDeframer.prefixBytes)
        server.counters.messagesReceived += 1
        if state == .open, let onMessage { onMessage(message) } else { credit.consumed(.max / 2) }
      }
    } catch {
      failure = error
    }
    isFeeding = false
    self.deframer = deframer
    if let failure { end(failure.status) }
    giveCredit(all: state != .open)
  }

  func halfClosed() {
    guard state == .open else { return }
    if deframer.partialBytes > 0 { return end(RPCStatus(.internal, "the last message is cut off")) }
    onEnd?()
  }

  /// Ends the call from our side and notifies the handler.
  func end(_ status: RPCStatus) {
    guard state == .open else { return }
    let report = onClosed
    finish(status)
    report?(status)
  }

  /// Ends it without waiting for the peer to read.
  func reset(_ status: RPCStatus) {
    guard state != .over else { return }
    server.counters.callsReset += 1
    let report = state == .open ? onClosed : nil
    state = .over
    settle()
    connection?.session?.reset(stream, errorCode: 8)
    connection?.scheduleFlush()
    report?(status)
  }

  /// The stream is gone.
  func ended(_ status: RPCStatus) {
    giveCredit(all: true)
    let report = state == .open ? onClosed : nil
    state = .over
    settle()
    connection = nil
    report?(status)
  }

  /// Lets go of all that the handler left here.
  private func settle() {
    server.calls[id] = nil
    if let deadline { server.loop.cancel(deadline) }
    deadline = nil
    onMessage = nil
    onEnd = nil
    onDrain = nil
    onClosed = nil
    if !isFeeding { giveCredit(all: true) }
  }

  private func giveCredit(all: Bool = false) {
    if isFeeding { return }
    let bytes = all ? credit.takeAll() : credit.take(partialBytes: deframer.partialBytes)
    guard bytes > 0, let connection else { return }
    connection.session?.consumed(stream, bytes: bytes)
    connection.scheduleFlush()
  }

  private var responseHead: [HeaderField] {
    [
      HeaderField(":status", "200"), HeaderField("content-type", RPCHeaders.contentType),
      HeaderField("grpc-accept-encoding", "identity"),
    ]
  }

  private func statusFields(_ status: RPCStatus) -> [HeaderField] {
    var fields = [HeaderField("grpc-status", "\(status.code.rawValue)")]
    if !status.message.isEmpty {
      fields.append(HeaderField("grpc-message", RPCHeaders.encode(message: status.message)))
    }
    return fields
  }
}
