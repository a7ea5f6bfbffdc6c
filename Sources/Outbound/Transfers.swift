internal import CCurl
internal import Glibc

/// Requests under way, side by side on one thread: a receiver that hangs holds up no other one.
///
/// Confined to its thread. Every transfer has a deadline, of which only the time counts in which this thread runs: a process that
/// was stopped, or that waited elsewhere, takes the answers that have come meanwhile. Redirects are not followed; proxies of the environment are not
/// used, because the guard against forbidden addresses would then see only the proxy.
@safe package final class Transfers {
  private let multi: UnsafeMutableRawPointer
  /// By the address of libcurl's handle.
  private var running: [UInt: Transfer] = [:]
  private var workedAtNs: Int64?

  /// Once a process, before the first thread that sends.
  private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  package init() throws(OutboundError) {
    guard Self.isReady, let multi = unsafe curl_multi_init() else {
      throw OutboundError(code: 0, message: "libcurl does not start")
    }
    unsafe self.multi = multi
    unsafe _ = sbx_curl_multi_connections(multi, OutboundLimits.transfersMax)
  }

  deinit {
    for transfer in running.values { unsafe _ = curl_multi_remove_handle(multi, transfer.handle) }
    unsafe curl_multi_cleanup(multi)
  }

  package var count: Int { running.count }

  /// Begins a request.
  /// - Parameters:
  ///   - tag: comes back with the answer.
  ///   - deadlineMs: for all of it, the name's look-up included.
  ///   - notAfterNs: CLOCK_MONOTONIC; nothing is sent to the receiver later than this, also where this process was stopped
  ///     in the middle: another collector may have taken over by then.
  package func begin(
    _ request: OutboundRequest, tag: Int, deadlineMs: Int, notAfterNs: Int64 = .max
  ) throws(OutboundError) {
    guard running.count < OutboundLimits.transfersMax else {
      throw OutboundError(code: 0, message: "too many requests are under way")
    }
    let transfer = try Transfer(request, tag: tag, deadlineMs: deadlineMs, notAfterNs: notAfterNs)
    guard unsafe curl_multi_add_handle(multi, transfer.handle) == CURLM_OK else {
      throw OutboundError(code: 0, message: "libcurl takes no further request")
    }
    running[transfer.key] = transfer
  }

  /// Works until something has happened, at most `waitMs`; returns what has ended.
  /// - Parameter descriptors: also end the wait when they become readable.
  package func work(
    waitMs: Int, descriptors: [Int32] = []
  ) -> [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] {
    var still: Int32 = 0
    unsafe curl_multi_perform(multi, &still)
    var done = ended() + overdue()
    if done.isEmpty && waitMs > 0 {
      var watched = descriptors.map { curl_waitfd(fd: $0, events: Int16(CURL_WAIT_POLLIN), revents: 0) }
      var count: Int32 = 0
      // The array lives for the call and holds as many entries as are named.
      unsafe curl_multi_poll(multi, &watched, UInt32(watched.count), Int32(clamping: waitMs), &count)
      unsafe curl_multi_perform(multi, &still)
      done = ended()
    }
    return done
  }

  /// A longer pause between two calls than this does not count.
  private static let countedPauseNs: Int64 = 1_000_000_000

  /// Gives up what has used up its time; called after libcurl has read what was there.
  private func overdue() -> [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] {
    let now = monotonicNs()
    let elapsed = min(now - (workedAtNs ?? now), Self.countedPauseNs)
    workedAtNs = now
    var done: [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] = []
    for (key, transfer) in running {
      transfer.leftNs -= elapsed
      guard transfer.leftNs <= 0 else { continue }
      running[key] = nil
      unsafe _ = curl_multi_remove_handle(multi, transfer.handle)
      done.append(
        (
          transfer.tag,
          .failure(OutboundError(code: Int(CURLE_OPERATION_TIMEDOUT.rawValue), message: "no answer in time"))
        ))
    }
    return done
  }

  private func ended() -> [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] {
    var done: [(tag: Int, result: Result<OutboundAnswer, OutboundError>)] = []
    var code = CURLE_OK
    while let handle = unsafe sbx_curl_next_done(multi, &code) {
      guard let transfer = running.removeValue(forKey: UInt(bitPattern: handle)) else { continue }
      // First out of the list: the handle ends with the transfer.
      unsafe _ = curl_multi_remove_handle(multi, handle)
      done.append((transfer.tag, transfer.result(code)))
    }
    return done
  }
}

/// One request. Owns libcurl's handle; libcurl points back to it, so it stays in `Transfers.running` until it has ended.
@safe final class Transfer {
  let handle: UnsafeMutableRawPointer
  let tag: Int
  /// Until it is given up.
  var leftNs: Int64
  private let notAfterNs: Int64
  var key: UInt { unsafe UInt(bitPattern: handle) }
  private var headers: UnsafeMutablePointer<curl_slist>?
  private var recipients: UnsafeMutablePointer<curl_slist>?
  private var upload: ArraySlice<UInt8> = []
  private var answer: [UInt8] = []
  private var answerBytesMax = OutboundLimits.answerBytesMax
  private var isCut = false
  private let isMail: Bool
  /// An address of the receiver may not be connected to.
  var isForbidden = false
  /// Of a mail: whom it goes to, and the server's replies.
  private var addresses: [String] = []
  private var replies: [UInt8] = []

  init(_ request: OutboundRequest, tag: Int, deadlineMs: Int, notAfterNs: Int64) throws(OutboundError) {
    guard let handle = unsafe curl_easy_init() else { throw OutboundError(code: 0, message: "libcurl gives no handle") }
    unsafe self.handle = handle
    self.tag = tag
    leftNs = Int64(deadlineMs) * 1_000_000
    self.notAfterNs = notAfterNs
    isMail = if case .mail = request { true } else { false }
    let own = unsafe Unmanaged.passUnretained(self).toOpaque()
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_CONNECTTIMEOUT_MS, min(deadlineMs, 5000))
    set(CURLOPT_FOLLOWLOCATION, 0)
    set(CURLOPT_PROXY, "")
    set(CURLOPT_USERAGENT, "signalbox")
    unsafe _ = sbx_curl_set_socket(handle, openGuardedSocket)
    unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, own)
    unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_PREREQDATA, own)
    unsafe _ = sbx_curl_set_before_request(handle, mayBegin)
    unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_WRITEDATA, own)
    unsafe _ = sbx_curl_set_transfer(handle, CURLOPT_WRITEFUNCTION, receiveAnswer)
    switch request {
    case .http(let request): try prepare(request)
    case .mail(let request): unsafe try prepare(request, own)
    }
  }

  deinit {
    unsafe curl_easy_cleanup(handle)
    unsafe curl_slist_free_all(headers)
    unsafe curl_slist_free_all(recipients)
  }

  private func set(_ option: CURLoption, _ value: Int) { unsafe _ = sbx_curl_set_long(handle, option, value) }
  /// libcurl copies the text.
  private func set(_ option: CURLoption, _ value: String) { unsafe _ = sbx_curl_set_text(handle, option, value) }

  private func prepare(_ request: HTTPRequest) throws(OutboundError) {
    guard request.body.count <= OutboundLimits.requestBytesMax else {
      throw OutboundError(code: 0, message: "the message is too long: \(request.body.count) bytes")
    }
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_URL, request.url)
    if let file = request.authorities { unsafe _ = sbx_curl_set_authorities(handle, file) }
    answerBytesMax = request.answerBytesMax
    // A header that waits for "100 Continue" would cost a second on servers that do not know it.
    for line in request.headers + ["Expect:"] {
      guard !line.utf8.contains(where: { $0 < 0x20 }) else {
        throw OutboundError(code: 0, message: "a header is broken")
      }
      unsafe headers = curl_slist_append(headers, line)
    }
    unsafe _ = sbx_curl_set_list(handle, CURLOPT_HTTPHEADER, headers)
    if request.method == "GET" { return }
    set(CURLOPT_POSTFIELDSIZE, request.body.count)
    // COPYPOSTFIELDS copies as many bytes as the size set before.
    unsafe request.body.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress.map { unsafe UnsafeMutableRawPointer(mutating: $0) }
      unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, start)
    }
    set(CURLOPT_POST, 1)
    if request.method != "POST" { set(CURLOPT_CUSTOMREQUEST, request.method) }
  }

  private func prepare(_ request: MailRequest, _ own: UnsafeMutableRawPointer) throws(OutboundError) {
    guard request.message.count <= OutboundLimits.requestBytesMax else {
      throw OutboundError(code: 0, message: "the message is too long: \(request.message.count) bytes")
    }
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
    set(CURLOPT_URL, request.url)
    set(CURLOPT_USE_SSL, Int(request.requiresTLS ? CURLUSESSL_ALL.rawValue : CURLUSESSL_TRY.rawValue))
    if let file = request.authorities { unsafe _ = sbx_curl_set_authorities(handle, file) }
    if let user = request.user { set(CURLOPT_USERNAME, user) }
    if let password = request.password { set(CURLOPT_PASSWORD, password) }
    set(CURLOPT_MAIL_FROM, request.from)
    for address in request.to { unsafe recipients = curl_slist_append(recipients, address) }
    unsafe _ = sbx_curl_set_list(handle, CURLOPT_MAIL_RCPT, recipients)
    unsafe _ = sbx_curl_allow_refused_recipients(handle)
    addresses = request.to
    unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_HEADERDATA, own)
    unsafe _ = sbx_curl_set_transfer(handle, CURLOPT_HEADERFUNCTION, receiveReply)
    upload = request.message[...]
    set(CURLOPT_UPLOAD, 1)
    unsafe _ = sbx_curl_set_pointer(handle, CURLOPT_READDATA, own)
    unsafe _ = sbx_curl_set_transfer(handle, CURLOPT_READFUNCTION, sendMail)
  }

  var maySpeak: Bool { monotonicNs() < notAfterNs }

  func received(_ bytes: UnsafeRawBufferPointer) {
    let room = answerBytesMax - answer.count
    if bytes.count > room { isCut = true }
    if room > 0 { unsafe answer.append(contentsOf: bytes.prefix(room)) }
  }

  func replied(_ bytes: UnsafeRawBufferPointer) {
    let room = OutboundLimits.answerBytesMax - replies.count
    if room > 0 { unsafe replies.append(contentsOf: bytes.prefix(room)) }
  }

  /// The replies to RCPT TO: those before the one to DATA, or the last ones where no address was taken.
  private var recipientReplies: [RecipientReply] {
    let lines = replies.split(separator: UInt8(ascii: "\n")).map { Array($0) }.filter { line in
      line.count >= 4 && line[3] == UInt8(ascii: " ") && line.prefix(3).allSatisfy { $0 &- 48 <= 9 }
    }
    let code = { (line: [UInt8]) in line.prefix(3).reduce(0) { $0 * 10 + Int($1 &- 48) } }
    // 221 answers the QUIT that follows.
    let end = lines.lastIndex { code($0) == 354 } ?? lines.firstIndex { code($0) == 221 } ?? lines.count
    guard !addresses.isEmpty, end >= addresses.count else { return [] }
    return zip(addresses, lines[(end - addresses.count)..<end]).map { address, line in
      let text = String(decoding: line.dropFirst(4).prefix(200), as: UTF8.self)
      return RecipientReply(address: address, code: code(line), text: text.filter { $0 != "\r" })
    }
  }

  func take(into memory: UnsafeMutableRawBufferPointer) -> Int {
    let piece = upload.prefix(memory.count)
    unsafe memory.copyBytes(from: piece)
    upload = upload.dropFirst(piece.count)
    return piece.count
  }

  private func mailAnswer(_ status: Int) -> OutboundAnswer {
    var mail = OutboundAnswer(code: status, body: answer)
    mail.recipients = recipientReplies
    return mail
  }

  /// Why there was no answer, with what to look at.
  private func sentence(_ code: CURLcode) -> String {
    switch code {
    case CURLE_COULDNT_CONNECT where isForbidden:
      return "the address is forbidden: link-local, multicast or a cloud's metadata service"
    case CURLE_COULDNT_CONNECT, CURLE_ABORTED_BY_CALLBACK:
      return "cannot connect: does it run, and does a firewall let this machine through?"
    case CURLE_USE_SSL_FAILED: return "the server offers no STARTTLS, which this receiver requires"
    case CURLE_SSL_CACERT_BADFILE: return "the file of trusted authorities cannot be read"
    case CURLE_PEER_FAILED_VERIFICATION:
      var reason = 0
      unsafe _ = sbx_curl_verify_result(handle, &reason)
      return "the server's certificate is refused: \(Self.certificateFault(reason))"
    default: return unsafe String(cString: curl_easy_strerror(code))
    }
  }

  /// - Parameter reason: OpenSSL's verification result, openssl-verification-options(1); libcurl leaves 1 where the chain was right and
  ///   the name was not.
  private static func certificateFault(_ reason: Int) -> String {
    switch reason {
    case 0, 1: "it is not for the name of this server"
    case 9: "it is not valid yet"
    case 10: "it has ended"
    case 2, 18...21: "it comes from no authority that is trusted here"
    default: "verification ends with code \(reason)"
    }
  }

  func result(_ code: CURLcode) -> Result<OutboundAnswer, OutboundError> {
    var status = 0
    unsafe _ = sbx_curl_response_code(handle, &status)
    guard code == CURLE_OK else {
      // A mail server's refusal is an answer.
      if isMail, status >= 400 { return .success(mailAnswer(status)) }
      return .failure(OutboundError(code: Int(code.rawValue), message: sentence(code)))
    }
    if isMail { return .success(mailAnswer(status)) }
    var seconds: curl_off_t = 0
    unsafe _ = sbx_curl_retry_after(handle, &seconds)
    var whole = OutboundAnswer(
      code: status, body: answer, retryAfterSeconds: seconds > 0 ? Int(clamping: seconds) : nil)
    whole.isCut = isCut
    return .success(whole)
  }
}

private func monotonicNs() -> Int64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// libcurl's CURLOPT_PREREQFUNCTION: connected, nothing sent yet.
private func mayBegin(
  _ owner: UnsafeMutableRawPointer?, _: UnsafeMutablePointer<CChar>?, _: UnsafeMutablePointer<CChar>?, _: Int32,
  _: Int32
) -> Int32 {
  guard let owner = unsafe owner else { return CURL_PREREQFUNC_ABORT }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
  return transfer.maySpeak ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

/// libcurl's CURLOPT_WRITEFUNCTION. What is beyond the limit is read and forgotten: cutting the transfer would look like a failure.
private func receiveAnswer(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ owner: UnsafeMutableRawPointer?
) -> Int {
  guard let owner = unsafe owner, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
  unsafe transfer.received(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

/// libcurl's CURLOPT_HEADERFUNCTION, which gets a mail server's replies line by line.
private func receiveReply(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ owner: UnsafeMutableRawPointer?
) -> Int {
  guard let owner = unsafe owner, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
  unsafe transfer.replied(UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

/// libcurl's CURLOPT_READFUNCTION.
private func sendMail(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ owner: UnsafeMutableRawPointer?
) -> Int {
  guard let owner = unsafe owner, let bytes = unsafe bytes else { return 0 }
  let transfer = unsafe Unmanaged<Transfer>.fromOpaque(owner).takeUnretainedValue()
  return unsafe transfer.take(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
}
