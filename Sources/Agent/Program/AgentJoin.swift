internal import EventLoop
internal import Files
internal import FleetModel
internal import RPC
internal import Schema
internal import TLS
internal import Transport

/// `signalbox-agent join`: makes a key, redeems the token at one of its addresses, keeps what came back.
final class AgentJoin {
  /// For each address.
  private static let timeoutNs: Int64 = 20_000_000_000
  /// Where many hosts join at once, a collector answers "try again"; after so long the command gives up.
  private static let patienceNs: Int64 = 120_000_000_000
  private static let pauseNs: Int64 = 500_000_000
  private static let pauseMaxNs: Int64 = 8_000_000_000

  private let loop: EventLoop
  private let token: JoinToken
  private let stateDirectory: String
  private let directory: IdentityDirectory
  private let request: [UInt8]
  private var addresses: [TLS.CollectorAddress]
  private var client: RPCClient?
  private let startedNs = Clock.monotonicNs()
  private var pauseNs = AgentJoin.pauseNs
  /// A collector answered "try again".
  private var isDeferred = false
  private var result: (code: Int32, sentence: String) = (4, "no collector answered")

  static func run(_ options: JoinOptions) -> Int32 {
    do {
      let token = try JoinToken(parsing: options.token.isEmpty ? JoinTokenSource.read(options.source) : options.token)
      if options.isOnlyShown {
        AgentMain.write(token.describe(), .output)
        return 0
      }
      if let name = try joinedAlready(token, options.stateDirectory) {
        AgentLog.info("joined already with this token", [("host", name)])
        return 0
      }
      let join = try AgentJoin(token, options.stateDirectory)
      return try join.run()
    } catch let error as UsageError {
      return AgentMain.fail(2, error.message)
    } catch let error as IdentityError {
      let isToken = [IdentityError.Code.truncated, .tooLarge].contains(error.code) || error.code == .malformed
      return AgentMain.fail(isToken ? 2 : 1, isToken ? "the token is not usable: \(error.message)" : error.message)
    } catch {
      return AgentMain.fail(1, "\(error)")
    }
  }

  /// The host of this token's certificate, where the directory has it and it is still good for something: scripts may run a join twice.
  private static func joinedAlready(_ token: JoinToken, _ stateDirectory: String) throws(IdentityError) -> String? {
    guard let identity = try IdentityDirectory(stateDirectory: stateDirectory).load(), identity.tokenID == token.id,
      Clock.wallNs() < identity.certificate.notAfterNs
    else { return nil }
    return identity.hostName
  }

  private init(_ token: JoinToken, _ stateDirectory: String) throws {
    self.token = token
    addresses = token.addresses
    loop = try EventLoop()
    self.stateDirectory = stateDirectory
    directory = IdentityDirectory(stateDirectory: stateDirectory)
    let key = try directory.prepareKey()
    let identity = HostIdentity.read()
    var request = JoinRequest()
    request.tokenID = token.id
    request.secret = token.secretText
    request.signingRequest = try SigningRequest.make(key: key)
    request.hostName = identity.facts.hostName
    request.machineIDHash = identity.machineIDHash
    // A damaged identity must not keep the host from joining anew.
    request.previousHost = (try? directory.load())?.hostID
    var bytes: [UInt8] = []
    Wire.encode(request, into: &bytes)
    self.request = bytes
  }

  private func run() throws -> Int32 {
    tryNext()
    try loop.run()
    return result.code == 0 ? 0 : AgentMain.fail(result.code, result.sentence)
  }

  /// The pin is checked in the handshake: the secret is sent only to who holds the fleet's authority.
  private func tryNext() {
    guard !addresses.isEmpty else { return tryAgainOrStop() }
    let address = addresses.removeFirst()
    do throws(TLSError) {
      let tls = try TLSContext.client(nil, trust: .pins(token.pins), server: .host(address.host))
      let client = RPCClient(loop: loop, target: SocketAddress(host: address.host, port: address.port), tls: tls)
      self.client = client
      client.onReady = { [unowned self] in ask(client) }
      client.onClosed = { [unowned self] reason in
        guard result.code == 4, self.client === client else { return }
        // A collector that is full sends the connection away before the call.
        if case .goAway = reason { isDeferred = true }
        result.sentence = Self.sentence(reason, address)
        tryNext()
      }
      client.connect()
    } catch {
      result = (1, "\(error)")
      loop.stop()
    }
  }

  private static func sentence(_ reason: DisconnectReason, _ address: CollectorAddress) -> String {
    if case .tls(let error) = reason, error.certificateProblem == .otherAuthority {
      return "the collector at \(address) is of another fleet than the token: ask for a token of that fleet "
        + "(signalbox hosts invite NAME), or for one that names another address (--address)"
    }
    return "the collector at \(address) cannot be reached: \(reason.advice)"
  }

  /// With a random pause, so that a hundred refused hosts do not come back at once.
  private func tryAgainOrStop() {
    guard isDeferred, Clock.monotonicNs() - startedNs < Self.patienceNs else { return loop.stop() }
    isDeferred = false
    addresses = token.addresses
    AgentLog.info("the collector asks to try again", [("reason", result.sentence)])
    loop.after(Int64.random(in: pauseNs / 2...pauseNs)) { [unowned self] in tryNext() }
    pauseNs = min(Self.pauseMaxNs, pauseNs * 2)
  }

  private func ask(_ client: RPCClient) {
    let call = client.call(FleetProtocol.Call.join.path, timeoutNs: Self.timeoutNs)
    call.onMessage = { [unowned self] bytes in
      let reply = try? Wire.decodeCertificateReply(bytes)
      accept(reply)
    }
    call.onStatus = { [unowned self] status, _ in
      switch status.code {
      case .ok: break
      case .unavailable, .resourceExhausted, .deadlineExceeded:
        isDeferred = true
        result = (4, status.message.isEmpty ? "\(status)" : status.message)
        self.client = nil
        client.close()
        return tryNext()
      default: result = (1, status.message.isEmpty ? "\(status)" : status.message)
      }
      loop.stop()
    }
    call.send(request)
    call.finishSending()
  }

  private func accept(_ reply: CertificateReply?) {
    guard let reply else {
      result = (1, "the collector's answer cannot be read")
      return
    }
    do throws(IdentityError) {
      try directory.accept(reply, pins: token.pins, collectors: token.addresses, token: token.id)
      result = (0, "")
      AgentLog.info("joined", [("host", reply.hostName)])
      if DirectoryLock.isHeld(stateDirectory) {
        let holder = DirectoryLock.holder(stateDirectory)
        AgentLog.info("the running agent\(holder) takes the new identity over within seconds")
      }
    } catch {
      result = (1, error.message)
    }
  }
}

extension HostIdentity {
  /// What leaves the host of its machine id.
  var machineIDHash: MachineIDHash {
    MachineIDHash(bytes: Digest.sha256(Array(machineID.utf8)).prefix(16)) ?? MachineIDHash(high: 0, low: 0)
  }
}
