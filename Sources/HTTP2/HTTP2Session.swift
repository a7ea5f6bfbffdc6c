internal import CNGHTTP2

/// An HTTP/2 connection without I/O: bytes in, events and bytes out. Time is a parameter.
///
/// Why an engine: it can be tested and fuzzed alone. Callbacks of libnghttp2 only add to `events` or read a stream's queue;
/// they never call out. Nothing a peer sends reaches a precondition: it ends in an event or in a thrown `HTTP2Error`,
/// after which only `output` (for the GOAWAY) and dropping the session make sense.
/// Isolation: one thread. Source: RFC 9113; limits: RELIABILITY "The exposed server".
@safe package final class HTTP2Session {
  package let role: HTTP2Role
  package let limits: HTTP2Limits
  package private(set) var events: [HTTP2Event] = []
  var streams: [Int32: HTTP2Stream] = [:]
  var budget: TokenBucket
  var resets: TokenBucket
  var nowNs: Int64
  var failure: HTTP2Error?
  /// When the block of header frames that is under way began.
  package internal(set) var headerBlockSinceNs: Int64?
  /// When the last whole frame came.
  package internal(set) var lastFrameNs: Int64
  package private(set) var framesReceived: UInt64 = 0
  private var frames: FrameCounter
  package internal(set) var queuedBytes = 0
  /// Fields of the block that is being read.
  var block = HeaderBlock()
  /// The bytes that `receive` is reading, to turn pointers into offsets.
  var inputBase: UInt = 0
  var inputCount = 0
  // Freed in deinit; callbacks find this object through the unretained pointer that nghttp2 holds, so it dies first.
  private var raw: OpaquePointer?
  private let memory = SessionMemory()

  struct HeaderBlock {
    var stream: Int32 = 0
    var fields: [HeaderField] = []
    var bytes = 0
  }

  package init(role: HTTP2Role, limits: HTTP2Limits, nowNs: Int64) throws(HTTP2Error) {
    self.role = role
    self.limits = limits
    self.nowNs = nowNs
    lastFrameNs = nowNs
    budget = TokenBucket(burst: limits.frameBurst, perSecond: limits.framesPerSecond, nowNs: nowNs)
    resets = TokenBucket(burst: limits.resetBurst, perSecond: limits.resetsPerSecond, nowNs: nowNs)
    frames = FrameCounter(prefaceBytes: role == .server ? 24 : 0)
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    let option = unsafe makeOption(limits)
    defer { unsafe nghttp2_option_del(option) }
    // Callbacks, option and the memory's callbacks are copied by the library.
    var allocator = unsafe memory.callbacks()
    let code =
      switch role {
      case .server: unsafe nghttp2_session_server_new3(&raw, sessionCallbacks, me, option, &allocator)
      case .client: unsafe nghttp2_session_client_new3(&raw, sessionCallbacks, me, option, &allocator)
      }
    if code != 0 { throw .library(code: code, doing: "start") }
    try submitSettings()
  }

  deinit {
    // Open streams get no callback here: their state is owned by `streams`.
    if let raw = unsafe raw { unsafe nghttp2_session_del(raw) }
  }

  private func submitSettings() throws(HTTP2Error) {
    var entries = [
      nghttp2_settings_entry(settings_id: 3 /* MAX_CONCURRENT_STREAMS */, value: limits.concurrentStreams),
      nghttp2_settings_entry(settings_id: 4 /* INITIAL_WINDOW_SIZE */, value: limits.streamWindowBytes),
      nghttp2_settings_entry(
        settings_id: 6 /* MAX_HEADER_LIST_SIZE */, value: UInt32(clamping: limits.headerListBytes)),
    ]
    if role == .client { entries.append(nghttp2_settings_entry(settings_id: 2 /* ENABLE_PUSH */, value: 0)) }
    var code = unsafe nghttp2_submit_settings(raw, 0, entries, entries.count)
    if code == 0 {
      code = unsafe nghttp2_session_set_local_window_size(raw, 0, 0, limits.connectionWindowBytes)
    }
    if code != 0 { throw .library(code: code, doing: "send settings") }
  }

  // MARK: Bytes in

  /// Reads the peer's next bytes, split anywhere, and appends to `events`.
  /// - Throws: the peer broke the protocol or a limit. Events found before that are in `events` all the same.
  package func receive(_ bytes: borrowing Span<UInt8>, nowNs: Int64) throws(HTTP2Error) {
    if let failure { throw failure }
    self.nowNs = nowNs
    budget.advance(to: nowNs)
    resets.advance(to: nowNs)
    let begun = frames.count(bytes)
    framesReceived += UInt64(begun)
    if !budget.take(Double(begun)) { throw fail(.frameFlood) }
    // The pointer is used only inside the call; its number is kept to recognise ranges, never to read.
    let code = unsafe bytes.withUnsafeBufferPointer { memory -> Int in
      guard let base = memory.baseAddress else { return 0 }
      inputBase = UInt(bitPattern: base)
      inputCount = memory.count
      return unsafe nghttp2_session_mem_recv(raw, base, memory.count)
    }
    inputCount = 0
    if let failure { throw fail(failure) }
    if code < 0 { throw fail(.library(code: Int32(code), doing: "read")) }
    if unsafe nghttp2_session_get_outbound_queue_size(raw) > limits.outboundFrames { throw fail(.outboundFlood) }
  }

  /// Ends the session: the peer is notified by a GOAWAY, which `output` still hands out.
  private func fail(_ error: HTTP2Error) -> HTTP2Error {
    failure = error
    let code: UInt32 = if case .library = error { 1 } else { 0xb /* ENHANCE_YOUR_CALM */ }
    _ = unsafe nghttp2_session_terminate_session(raw, code)
    return error
  }

  /// Hands the events over and forgets them.
  package func takeEvents() -> [HTTP2Event] {
    let taken = events
    // Not kept: an idle connection should hold nothing that it can make again.
    events = []
    return taken
  }

  func add(_ event: HTTP2Event) { events.append(event) }

  // MARK: Bytes out

  /// Appends frames that wait to `buffer`, until it holds `limitBytes` or nothing is left.
  /// - Returns: whether anything was added.
  package func output(into buffer: inout [UInt8], limitBytes: Int, nowNs: Int64) throws(HTTP2Error) -> Bool {
    self.nowNs = nowNs
    resets.advance(to: nowNs)
    let start = buffer.count
    while buffer.count < limitBytes {
      var chunk: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(raw, &chunk)
      if count < 0 { throw .library(code: Int32(count), doing: "write") }
      guard count > 0, let base = unsafe chunk else { break }
      // Valid until the next call: copied at once.
      unsafe buffer.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
    }
    if let failure, failure == .resetFlood { _ = fail(failure) }
    return buffer.count > start
  }

  /// False once nothing more will be read or written: the connection can be closed.
  package var isAlive: Bool {
    unsafe nghttp2_session_want_read(raw) != 0 || nghttp2_session_want_write(raw) != 0
  }

  // MARK: Streams

  /// Opens a stream with a request whose body follows by `send` and `finish`.
  package func request(_ fields: [HeaderField]) throws(HTTP2Error) -> Int32 {
    let id = unsafe withFields(fields) { pointer, count in
      var provider = unsafe bodyProvider()
      return unsafe nghttp2_submit_request(raw, nil, pointer, count, &provider, nil)
    }
    if id < 0 { throw .library(code: id, doing: "send a request") }
    streams[id] = HTTP2Stream()
    return id
  }

  /// Answers with a head; the body follows by `send` and `finish`, or, with `endStream`, nothing does.
  package func respond(_ stream: Int32, _ fields: [HeaderField], endStream: Bool) {
    if streams[stream] == nil { return }
    if endStream { streams[stream]?.hasSentEnd = true }
    // It fails only for want of memory or for a stream that is gone.
    _ = unsafe withFields(fields) { pointer, count in
      if endStream { return unsafe nghttp2_submit_response(raw, stream, pointer, count, nil) }
      var provider = unsafe bodyProvider()
      return unsafe nghttp2_submit_response(raw, stream, pointer, count, &provider)
    }
  }

  /// Queues bytes of the body: the prefix, then the rest.
  /// - Returns: false, and nothing is queued, where more than `limitBytes` would wait (this prefix not counted).
  @discardableResult
  package func send(
    _ stream: Int32, prefix: InlineArray<5, UInt8>? = nil, _ bytes: borrowing Span<UInt8>, limitBytes: Int = .max
  ) -> Bool {
    // A stream that is gone or has been finished takes none; its owner is notified otherwise.
    guard let index = streams.index(forKey: stream), streams.values[index].isOpen else { return true }
    let count = bytes.count + (prefix == nil ? 0 : 5)
    if streams.values[index].queuedBytes > limitBytes - bytes.count { return false }
    if let prefix { streams.values[index].append(prefix.span) }
    streams.values[index].append(bytes)
    queuedBytes += count
    resume(stream, &streams.values[index].isDeferred)
    return true
  }

  package func send(_ stream: Int32, _ bytes: [UInt8]) { send(stream, bytes.span) }

  /// Ends the body once all that is queued has gone out. Empty trailers: a plain end.
  package func finish(_ stream: Int32, trailers: [HeaderField] = []) {
    guard let index = streams.index(forKey: stream), streams.values[index].isOpen else { return }
    streams.values[index].trailers = trailers
    resume(stream, &streams.values[index].isDeferred)
  }

  private func resume(_ stream: Int32, _ isDeferred: inout Bool) {
    guard isDeferred else { return }
    isDeferred = false
    _ = unsafe nghttp2_session_resume_data(raw, stream)
  }

  /// Cancels the stream.
  package func reset(_ stream: Int32, errorCode: UInt32) {
    dropQueue(stream)
    _ = unsafe nghttp2_submit_rst_stream(raw, 0, stream, errorCode)
  }

  /// Gives window back to the peer, for the stream and for the connection; for a stream that is gone, the latter.
  package func consumed(_ stream: Int32, bytes: Int) {
    if bytes > 0 { _ = unsafe nghttp2_session_consume(raw, stream, bytes) }
  }

  /// Bytes of this stream that wait to be sent.
  package func queuedBytes(_ stream: Int32) -> Int { streams[stream]?.queuedBytes ?? 0 }

  package var openStreams: Int { streams.count }

  /// Streams whose queue has not moved for `forNs` or longer: their peer does not read. Ask regularly: the first time
  /// that a queue is seen starts its clock.
  package func blockedStreams(forNs: Int64, nowNs: Int64) -> [Int32] {
    if queuedBytes == 0 { return [] }
    var blocked: [Int32] = []
    for (id, state) in streams where state.queuedBytes > 0 {
      let since = state.blockedSinceNs ?? nowNs
      streams[id]?.blockedSinceNs = since
      if nowNs - since >= forNs { blocked.append(id) }
    }
    return blocked
  }

  func dropQueue(_ stream: Int32) {
    guard let state = streams.removeValue(forKey: stream) else { return }
    queuedBytes -= state.queuedBytes
    var empty = HTTP2Stream()
    empty.hasSentEnd = true
    empty.hasReceivedEnd = state.hasReceivedEnd
    streams[stream] = empty
  }

  /// A stream that the library has opened, closed, or reported.
  func opened(_ stream: Int32) { streams[stream] = HTTP2Stream() }

  func closed(_ stream: Int32) {
    if let state = streams.removeValue(forKey: stream) { queuedBytes -= state.queuedBytes }
  }

  // MARK: Connection

  /// Asks for a sign of life; the answer is `pong`.
  package func ping(_ payload: UInt64) {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: payload >> (56 - 8 * $0)) }
    // Eight bytes, copied.
    _ = unsafe nghttp2_submit_ping(raw, 0, bytes)
  }

  /// First step of a drain: "open no more streams", with the highest id, because some may be on their way.
  package func announceShutdown() { _ = unsafe nghttp2_submit_shutdown_notice(raw) }

  /// Second step: the last stream that will be served. The connection ends when those are done.
  package func goAway(errorCode: UInt32 = 0, text: String = "") {
    let bytes = Array(text.utf8)
    let last = unsafe nghttp2_session_get_last_proc_stream_id(raw)
    _ = unsafe nghttp2_submit_goaway(raw, 0, last, errorCode, bytes, bytes.count)
  }

  /// GOAWAY and no further reading.
  package func terminate(errorCode: UInt32) { _ = unsafe nghttp2_session_terminate_session(raw, errorCode) }

  func submitTrailers(_ stream: Int32, _ fields: [HeaderField]) -> Int32 {
    unsafe withFields(fields) { pointer, count in unsafe nghttp2_submit_trailer(raw, stream, pointer, count) }
  }

  /// After our end: asks a peer that is still sending to stop, without calling that an error (RFC 9113, 8.1).
  func stopPeer(_ stream: Int32) { _ = unsafe nghttp2_submit_rst_stream(raw, 0, stream, 0) }
}
