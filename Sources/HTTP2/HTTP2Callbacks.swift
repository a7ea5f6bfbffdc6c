internal import CNGHTTP2

// Everything that libnghttp2 calls, and what it is given. Each callback finds its session through the user pointer,
// which is valid because the session owns the library's object and frees it when it dies. None throws, blocks or calls
// back into the library beyond `submit…`, which is allowed there.

/// The same for all sessions; made once, only read after. The library copies it.
nonisolated(unsafe) let sessionCallbacks: OpaquePointer? = unsafe makeCallbacks()

private func session(_ user: UnsafeMutableRawPointer?) -> HTTP2Session {
  unsafe Unmanaged<HTTP2Session>.fromOpaque(user!).takeUnretainedValue()
}

func makeOption(_ limits: HTTP2Limits) -> OpaquePointer? {
  var option: OpaquePointer?
  if unsafe nghttp2_option_new(&option) != 0 { return nil }
  unsafe nghttp2_option_set_no_auto_window_update(option, 1)
  unsafe nghttp2_option_set_no_closed_streams(option, 1)
  unsafe nghttp2_option_set_max_deflate_dynamic_table_size(option, 0)
  unsafe nghttp2_option_set_peer_max_concurrent_streams(option, 100)
  unsafe nghttp2_option_set_max_outbound_ack(option, limits.outboundAcknowledgements)
  unsafe nghttp2_option_set_max_settings(option, limits.settingsEntries)
  unsafe nghttp2_option_set_max_continuations(option, limits.continuations)
  unsafe nghttp2_option_set_stream_reset_rate_limit(option, limits.rapidResetBurst, limits.rapidResetsPerSecond)
  return unsafe option
}

private func makeCallbacks() -> OpaquePointer? {
  var made: OpaquePointer?
  if unsafe nghttp2_session_callbacks_new(&made) != 0 { return nil }
  unsafe nghttp2_session_callbacks_set_on_begin_frame_callback(made) { _, header, user in
    unsafe session(user).frameBegan(type: header!.pointee.type)
  }
  unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(made) { _, frame, user in
    let isRequest = unsafe frame!.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
    unsafe session(user).headersBegan(frame!.pointee.hd.stream_id, isRequest: isRequest)
    return 0
  }
  unsafe nghttp2_session_callbacks_set_on_header_callback(made) {
    _, frame, name, nameCount, value, valueCount, _, user in
    // Name and value live for the call; they are copied.
    let field = unsafe HeaderField(
      String(decoding: UnsafeBufferPointer(start: name, count: nameCount), as: UTF8.self),
      String(decoding: UnsafeBufferPointer(start: value, count: valueCount), as: UTF8.self))
    return unsafe session(user).fieldArrived(field, bytes: nameCount + valueCount)
  }
  unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(made) { _, frame, user in
    unsafe session(user).frameArrived(frame!)
    return 0
  }
  unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made) { _, _, stream, bytes, count, user in
    unsafe session(user).dataArrived(stream, at: UInt(bitPattern: bytes), count: count)
  }
  unsafe nghttp2_session_callbacks_set_on_frame_send_callback(made) { _, frame, user in
    unsafe session(user).frameSent(frame!)
    return 0
  }
  unsafe nghttp2_session_callbacks_set_on_stream_close_callback(made) { _, stream, code, user in
    unsafe session(user).streamClosed(stream, code)
    return 0
  }
  return unsafe made
}

/// Where the body of a stream comes from.
func bodyProvider() -> nghttp2_data_provider {
  var provider = unsafe nghttp2_data_provider()
  unsafe provider.read_callback = { _, stream, buffer, count, flags, _, user in
    // The library's frame buffer: `count` bytes for the call.
    let memory = unsafe UnsafeMutableBufferPointer(start: buffer, count: count)
    let (result, end) = unsafe session(user).fill(stream, memory)
    unsafe flags!.pointee |= end
    return result
  }
  return unsafe provider
}

/// Calls `body` with the fields as the library wants them; it copies names and values.
func withFields(_ fields: [HeaderField], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Int32) -> Int32 {
  var flat: [UInt8] = []
  for field in fields {
    flat.append(contentsOf: field.name.utf8)
    flat.append(contentsOf: field.value.utf8)
  }
  // Never empty, so that there is a base address.
  flat.append(0)
  return unsafe flat.withUnsafeMutableBufferPointer { memory in
    var at = memory.baseAddress!
    var pairs = unsafe [nghttp2_nv]()
    for field in fields {
      let nameCount = field.name.utf8.count
      let valueCount = field.value.utf8.count
      unsafe pairs.append(
        nghttp2_nv(name: at, value: at + nameCount, namelen: nameCount, valuelen: valueCount, flags: 0))
      unsafe at += nameCount + valueCount
    }
    return unsafe pairs.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
  }
}

extension HTTP2Session {
  /// Makes the library end the session.
  private var stop: Int32 { NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }

  func frameBegan(type: UInt8) -> Int32 {
    if type == UInt8(NGHTTP2_HEADERS.rawValue), headerBlockSinceNs == nil { headerBlockSinceNs = nowNs }
    return 0
  }

  func headersBegan(_ stream: Int32, isRequest: Bool) {
    block = HeaderBlock(stream: stream)
    // Trailers come here too (HCAT_HEADERS): they open nothing.
    if isRequest { opened(stream) }
  }

  func fieldArrived(_ field: HeaderField, bytes: Int) -> Int32 {
    block.bytes += bytes + 32
    if block.bytes > limits.headerListBytes || block.fields.count >= limits.headerFields {
      block.fields = []
      headerBlockSinceNs = nil
      // Resets this stream; the rest of the block is still decoded, because the table is shared.
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    block.fields.append(field)
    return 0
  }

  func frameArrived(_ frame: UnsafePointer<nghttp2_frame>) {
    lastFrameNs = nowNs
    let header = unsafe frame.pointee.hd
    let isEnd = header.flags & 1 != 0
    switch UInt32(header.type) {
    case NGHTTP2_HEADERS.rawValue: unsafe headersArrived(header.stream_id, frame.pointee.headers.cat, isEnd)
    case NGHTTP2_DATA.rawValue: if isEnd { endArrived(header.stream_id) }
    case NGHTTP2_SETTINGS.rawValue: if !isEnd { add(.settings) }
    case NGHTTP2_PING.rawValue: if isEnd { unsafe pongArrived(frame) }
    case NGHTTP2_GOAWAY.rawValue: unsafe goAwayArrived(frame)
    default: break
    }
  }

  private func headersArrived(_ stream: Int32, _ category: nghttp2_headers_category, _ isEnd: Bool) {
    headerBlockSinceNs = nil
    let fields = block.stream == stream ? block.fields : []
    block = HeaderBlock()
    // An informational response (1xx) is no head: the real one follows as HCAT_HEADERS.
    let isHead = category == NGHTTP2_HCAT_REQUEST || fields.first?.name == ":status"
    if isHead {
      if fields.first(where: { $0.name == ":status" })?.value.first == "1" { return }
      add(.headers(stream: stream, fields: fields, endStream: isEnd))
    } else {
      add(.trailers(stream: stream, fields: fields))
    }
    if isEnd { endArrived(stream) }
  }

  private func endArrived(_ stream: Int32) {
    streams[stream]?.hasReceivedEnd = true
    add(.end(stream: stream))
  }

  private func pongArrived(_ frame: UnsafePointer<nghttp2_frame>) {
    let bytes = unsafe frame.pointee.ping.opaque_data
    let values = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5, bytes.6, bytes.7]
    add(.pong(values.reduce(0) { $0 << 8 | UInt64($1) }))
  }

  private func goAwayArrived(_ frame: UnsafePointer<nghttp2_frame>) {
    let goAway = unsafe frame.pointee.goaway
    // The text lives for the callback; a short part is copied.
    let text = unsafe UnsafeBufferPointer(start: goAway.opaque_data, count: min(goAway.opaque_data_len, 128))
    unsafe add(
      .goAway(
        lastStream: goAway.last_stream_id, errorCode: goAway.error_code, text: String(decoding: text, as: UTF8.self)))
  }

  func dataArrived(_ stream: Int32, at address: UInt, count: Int) -> Int32 {
    budget.refund(Double(count) / 1024)
    let start = address &- inputBase
    // The library hands over parts of what it was given; anything else would be a change of its nature.
    guard start <= UInt(inputCount), UInt(count) <= UInt(inputCount) - start else { return stop }
    add(.data(stream: stream, range: Int(start)..<Int(start) + count))
    return 0
  }

  func frameSent(_ frame: UnsafePointer<nghttp2_frame>) {
    let header = unsafe frame.pointee.hd
    switch UInt32(header.type) {
    case NGHTTP2_RST_STREAM.rawValue:
      // NO_ERROR ends a call early, CANCEL is our own decision: neither is the peer's fault.
      let code = unsafe frame.pointee.rst_stream.error_code
      if code != 0, code != 8, !resets.take() { failure = .resetFlood }
    case NGHTTP2_DATA.rawValue, NGHTTP2_HEADERS.rawValue:
      guard header.flags & 1 != 0, role == .server, let state = streams[header.stream_id] else { return }
      if !state.hasReceivedEnd { stopPeer(header.stream_id) }
    default: break
    }
  }

  func streamClosed(_ stream: Int32, _ code: UInt32) {
    if block.stream == stream { headerBlockSinceNs = nil }
    guard streams[stream] != nil else { return }
    closed(stream)
    add(.closed(stream: stream, errorCode: code))
  }

  /// The library asks for the next bytes of a body: how many it got, and flags.
  func fill(_ stream: Int32, _ buffer: UnsafeMutableBufferPointer<UInt8>) -> (Int, UInt32) {
    guard var state = streams.removeValue(forKey: stream) else { return (0, NGHTTP2_DATA_FLAG_EOF.rawValue) }
    defer { streams[stream] = state }
    var taken = 0
    if state.queuedBytes > 0 {
      taken = unsafe state.take(into: buffer)
      queuedBytes -= taken
      state.blockedSinceNs = nil
    }
    if state.queuedBytes > 0 { return (taken, 0) }
    guard let trailers = state.trailers else {
      if taken > 0 {
        if role == .client { add(.drained(stream: stream)) }
        return (taken, 0)
      }
      state.isDeferred = true
      return (Int(NGHTTP2_ERR_DEFERRED.rawValue), 0)
    }
    state.hasSentEnd = true
    if trailers.isEmpty { return (taken, NGHTTP2_DATA_FLAG_EOF.rawValue) }
    _ = submitTrailers(stream, trailers)
    return (taken, NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue)
  }
}
