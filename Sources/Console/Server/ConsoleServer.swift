internal import EventLoop
internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdHTTP2
package import Logging
internal import NIOCore
internal import NIOSSL
package import Postgres
internal import ServiceLifecycle
internal import Store
internal import TLS

/// What the console is started with.
package struct ConsoleOptions: Sendable {
  package var database: DatabaseURL
  /// Name or address to listen on.
  package var host: String
  /// 0: the kernel's choice.
  package var port: UInt16
  /// Of a collector on this machine, whose authority then signs the console's certificate.
  package var stateDirectory: String?
  /// PEM files of the site's own certificate.
  package var certificate: String?
  package var key: String?
  /// Under which people reach it, where that is another address.
  package var publicURL: String?
  /// Of a login that only reads the tables, where the collector could not make it.
  package var reader: DatabaseURL?
  /// Of a login that only reads the views, for people's SQL, where the collector could not make it.
  package var queryReader: DatabaseURL?
  /// Folder with the files of the chart library; nil: the usual ones.
  package var assets: String?
  /// By which people log in; nil: by links and tokens alone.
  package var identity: OIDCSettings?
  /// Where presses of buttons are fetched from.
  package var slack = SlackSettings()
  /// Threads with connections to the database.
  package var connections = 4

  package init(database: DatabaseURL, host: String, port: UInt16) {
    self.database = database
    (self.host, self.port) = (host, port)
  }
}

/// The console as a process.
package enum ConsoleServer {
  /// Serves until SIGTERM or SIGINT.
  /// - Throws: `ConsoleFailure`.
  package static func run(_ options: ConsoleOptions, logger: Logger) async throws {
    let tls = try Identity.configuration(options)
    let database: DatabasePool
    let queries: QueryPool
    let outgoing: OutgoingRequests
    do {
      outgoing = try OutgoingRequests()
      database = try DatabasePool(options.database, login: options.reader, threads: options.connections)
      queries = try QueryPool(options.database, login: options.queryReader)
    } catch {
      throw ConsoleFailure(.failed, "\(error)")
    }
    try await requireDatabase(database)
    let fleet = FleetFeed(database)
    let charts = ChartLibrary(directory: options.assets)
    if let missing = charts.missing {
      logger.notice("charts are drawn without uPlot", metadata: ["reason": "\(missing)"])
    }
    let oidc = options.identity.map { OIDCLogin($0, outgoing, logger) }
    let most = connectionsMax(options)
    let limits = ConnectionLimits(perAddress: max(8, most / 4))
    let gate = Gate(
      database: database,
      context: ConsoleContext(
        login: Login(database: database), refusals: Refusals(database), queries: queries, fleet: fleet,
        live: LiveHub(feed: fleet, database: database), charts: charts,
        tails: LogTails(database), limits: limits, slack: SlackFigures(), oidc: oidc),
      logger: logger)
    let announcement = Announcement(database, logger)
    let sockets = SlackSockets(
      settings: options.slack, database: database, outgoing: outgoing, figures: gate.context.slack, logger: logger)
    let server = HTTPServerBuilder { responder in
      GuardedChannel(
        inner: try HTTP2UpgradeChannel(
          tlsConfiguration: tls, configuration: connections(limits), responder: responder),
        limits: limits)
    }
    let application = Application(
      router: router(gate), server: server,
      configuration: ApplicationConfiguration(
        address: .hostname(options.host, port: Int(options.port)), serverName: nil,
        availableConnectionsDelegate: MaximumAvailableConnections(most)),
      services: [announcement, sockets],
      onServerRunning: { channel in await announce(channel, options, announcement, oidc) },
      logger: logger)
    do {
      try await application.runService()
    } catch {
      throw ConsoleFailure(.failed, "the console cannot listen on \(options.host):\(options.port): \(error)")
    }
    outgoing.stop()
    queries.stop()
    database.stop()
  }

  /// A client that asks nothing for a while is not waited for, nor one that stops in the middle of a request.
  private static func connections(_ limits: ConnectionLimits) -> HTTP2ChannelConfiguration {
    HTTP2ChannelConfiguration(
      idleTimeout: .seconds(120), gracefulCloseTimeout: .seconds(5),
      streamConfiguration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [RequestDeadline(limits)], idleTimeout: .seconds(30)))
  }

  /// Connections at once; beyond, new ones wait until others have closed. Less than the files that the process may have open, of which the
  /// database's connections and the program itself need some.
  private static func connectionsMax(_ options: ConsoleOptions) -> Int {
    min(2_000, max(8, Process.openFilesMax - 4 * options.connections - 24))
  }

  /// A wrong address of the database, or tables of another version, are reported at the start.
  private static func requireDatabase(_ database: DatabasePool) async throws {
    do {
      try await database.change { _ throws(StoreError) in }
      _ = try await database.answer(FleetQueries.alive())
    } catch let problem as Problem {
      throw ConsoleFailure(problem == .databaseAway ? .notReachable : .failed, problem.detail)
    }
  }

  private static func router(_ gate: Gate) -> Router<ConsoleRequestContext> {
    let router = Router(context: ConsoleRequestContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: UnknownAddress(gate: gate))
    for route in RouteTable.all {
      router.on(RouterPath(route.path), method: route.method) { request, context in
        let parameters = Dictionary(
          context.parameters.map { (String($0.key), String($0.value)) }
        ) { first, _ in first }
        return await gate.coded(gate.respond(route, request, parameters, context.client), route, request)
      }
    }
    return router
  }

  /// For whoever started it, and for `signalbox console link`.
  private static func announce(
    _ channel: any Channel, _ options: ConsoleOptions, _ announcement: Announcement, _ oidc: OIDCLogin?
  ) async {
    let port = channel.localAddress?.port ?? Int(options.port)
    let host = options.host.contains(":") ? "[\(options.host)]" : options.host
    let url = options.publicURL ?? "https://\(host):\(port)"
    oidc?.begin(at: url)
    await announcement.begin(url)
    try? StandardStream.output.write("ready url=\(url)\n")
  }
}

/// What a request comes with beside its text.
struct ConsoleRequestContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let client: Client

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    client = Client(address: source.channel.remoteAddress?.ipAddress ?? "", gone: source.channel.closeFuture)
  }
}

/// Keeps the console's address in the database while it runs.
private actor Announcement: Service {
  private let database: DatabasePool
  private let logger: Logger
  private var url = ""

  init(_ database: DatabasePool, _ logger: Logger) {
    self.database = database
    self.logger = logger
  }

  func begin(_ url: String) async {
    self.url = url
    await renew()
  }

  private func renew() async {
    let (url, nowNs) = (url, Clock.wallNs())
    if url.isEmpty { return }
    do {
      try await database.change { store throws(StoreError) in try store.announceConsole(url, nowNs: nowNs) }
    } catch {
      logger.warning("the database took no address for login links", metadata: ["error": "\(error)"])
    }
  }

  /// Until the console ends.
  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        try await Task.sleep(for: .seconds(30))
        await self.renew()
      }
    }
    let url = url
    try? await database.change { store throws(StoreError) in try store.withdrawConsole(url) }
  }
}

/// Addresses and methods that no route has.
struct UnknownAddress: RouterMiddleware {
  typealias Context = ConsoleRequestContext
  let gate: Gate

  @concurrent func handle(
    _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
  ) async throws -> Response {
    do {
      return try await next(request, context)
    } catch let error as HTTPError where error.status == .notFound {
      let isPage = !request.uri.path.hasPrefix("/api/")
      let taken = Self.methods(at: request.uri.path)
      guard !taken.isEmpty else {
        let problem = Problem(.notFound, "nothing has this address; /api/v1/openapi.json lists those that there are")
        // Who is logged in is not shut out of the menu; a credential that is not valid is no other answer here.
        let known = isPage ? try? await gate.login(request, Clock.wallNs(), isRequired: true) : nil
        return gate.refuse(problem, request, isPage: isPage, toLogin: false, known: known ?? nil, Clock.wallNs())
      }
      // Source: RFC 9110, section 15.5.6.
      let allowed = taken.joined(separator: ", ")
      let problem = Problem(.methodNotAllowed, "this address takes \(allowed)")
      var response = gate.refuse(problem, request, isPage: false, toLogin: false, Clock.wallNs())
      response.headers[.allow] = allowed
      return response
    }
  }

  /// What the routes of an address take, in the order of their names.
  private static func methods(at path: String) -> [String] {
    let parts = path.split(separator: "/")
    let known = RouteTable.all.filter { route in
      let wanted = route.path.split(separator: "/")
      return wanted.count == parts.count && zip(wanted, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
    }.map(\.method)
    return Set(known + (known.contains(.get) ? [.head] : [])).map(\.rawValue).sorted()
  }
}
