internal import FleetModel
internal import Store

/// One question with both ways to ask it: of the database, and of the console, whose answers have the same columns.
struct FleetQuestion {
  var query: ReadQuery
  var call: ConsoleCall
  /// The console answers with 404 where there is none; the database with no row.
  var isOne = false
  /// At most so many rows; the query reads one more, which says whether there are more.
  var limit: Int?
}

extension FleetQuestion {
  // MARK: Hosts

  static let fleet = FleetQuestion(query: FleetQueries.status(), call: .get("/api/v1/hosts"))
  static let presence = FleetQuestion(query: FleetQueries.presence(), call: .get("/api/v1/meta"))
  static let hosts = FleetQuestion(query: FleetQueries.hosts(), call: .get("/api/v1/inventory"))

  static func host(_ name: String) -> FleetQuestion {
    FleetQuestion(query: FleetQueries.hosts(named: name), call: .get(path(name)), isOne: true)
  }
  static func processes(_ host: String) -> FleetQuestion {
    FleetQuestion(query: FleetQueries.processes(host: host), call: .get(path(host) + "/processes"))
  }
  static func files(_ host: String) -> FleetQuestion {
    FleetQuestion(query: FleetQueries.files(host: host), call: .get(path(host) + "/files"))
  }
  static func quotas(_ host: String) -> FleetQuestion {
    FleetQuestion(query: FleetQueries.quotas(host: host), call: .get(path(host) + "/quotas"))
  }
  static func passedOver(_ host: String?) -> FleetQuestion {
    FleetQuestion(query: FollowingQueries.passedOver(host: host), call: .get("/api/v1/following", [("host", host)]))
  }
  static func gaps(host: String?, sinceNs: Int64?) -> FleetQuestion {
    FleetQuestion(
      query: FleetQueries.gaps(host: host, sinceNs: sinceNs),
      call: .get("/api/v1/gaps", [("host", host), ("since", sinceNs.map { Timestamp.text($0) })]))
  }
  static func invitations(all: Bool) -> FleetQuestion {
    FleetQuestion(
      query: FleetQueries.invitations(all: all), call: .get("/api/v1/invitations", [("all", String(all))]))
  }

  // MARK: Views

  static let views = FleetQuestion(query: ViewQueries.views(), call: .get("/api/v1/views"))

  static func columns(of view: String) -> FleetQuestion {
    FleetQuestion(
      query: ViewQueries.columns(of: view), call: .get("/api/v1/views/\(PercentEncoding.pathPart(view))"), isOne: true)
  }

  static let savedQueries = FleetQuestion(query: SavedQueries.list(), call: .get("/api/v1/queries"))

  // MARK: Training

  static func runs(host: String?, state: String?, run: String? = nil, limit: Int) -> FleetQuestion {
    FleetQuestion(
      query: TrainingQueries.runs(host: host, state: state, run: run, limit: limit + 1),
      call: .get("/api/v1/runs", [("host", host), ("state", state), ("run", run), ("limit", String(limit))]),
      limit: limit)
  }
  static func run(_ number: Int64) -> FleetQuestion {
    FleetQuestion(query: TrainingQueries.run(number), call: .get("/api/v1/runs/\(number)"), isOne: true)
  }
  static func episodes(host: String?, run: String?, status: String?, limit: Int) -> FleetQuestion {
    FleetQuestion(
      query: TrainingQueries.episodes(host: host, run: run, status: status, limit: limit + 1),
      call: .get("/api/v1/episodes", [("host", host), ("run", run), ("status", status), ("limit", String(limit))]),
      limit: limit)
  }
  static func episode(host: String?, run: String, episode: Int64) -> FleetQuestion {
    FleetQuestion(
      query: TrainingQueries.episode(host: host, run: run, episode: episode),
      call: .get("/api/v1/episodes/whole", [("host", host), ("run", run), ("episode", String(episode))]))
  }
  static func episodeCheck(host: String?, run: String?, staleMinutes: Int, limit: Int) -> FleetQuestion {
    FleetQuestion(
      query: TrainingQueries.check(host: host, run: run, staleMinutes: staleMinutes, limit: limit + 1),
      call: .get(
        "/api/v1/episodes/check",
        [("host", host), ("run", run), ("stale_minutes", String(staleMinutes)), ("limit", String(limit))]),
      limit: limit)
  }

  static func analysis(_ run: Int64, largeChange: Double) -> FleetQuestion {
    FleetQuestion(
      query: AnalysisQueries.analysis(run: run, largeChange: largeChange),
      call: .get("/api/v1/runs/\(run)/analysis", [("large_change", String(largeChange))]), isOne: true)
  }
  static func why(_ run: Int64) -> FleetQuestion {
    FleetQuestion(query: WhyQueries.why(run: run), call: .get("/api/v1/runs/\(run)/why"), isOne: true)
  }
  static func verification(host: String?, run: Int64?) -> FleetQuestion {
    FleetQuestion(
      query: VerificationQueries.verification(host: host, run: run),
      call: .get("/api/v1/episodes/verification", [("host", host), ("run", run.map(String.init))]))
  }
  static func series(_ host: String, _ metric: HostMetric, sinceNs: Int64, untilNs: Int64, points: Int64)
    -> FleetQuestion
  {
    FleetQuestion(
      query: SeriesQueries.host(host, metric, sinceNs: sinceNs, untilNs: untilNs, points: points),
      call: .get(
        path(host) + "/series",
        [
          ("metric", metric.name), ("since", Timestamp.text(sinceNs)), ("until", Timestamp.text(untilNs)),
          ("points", String(points)),
        ]))
  }

  // MARK: Incidents and paging

  static func incidents(
    state: String?, host: String?, rule: String?, sinceNs: Int64?, limit: Int
  ) -> FleetQuestion {
    FleetQuestion(
      query: IncidentQueries.list(state: state, host: host, rule: rule, sinceNs: sinceNs, limit: limit + 1),
      call: .get(
        "/api/v1/incidents",
        [
          ("state", state), ("host", host), ("rule", rule), ("since", sinceNs.map { Timestamp.text($0) }),
          ("limit", String(limit)),
        ]), limit: limit)
  }
  static func incident(_ number: Int64) -> FleetQuestion {
    FleetQuestion(query: IncidentQueries.one(number), call: .get(path(number)), isOne: true)
  }
  static func incidentTexts(_ number: Int64) -> FleetQuestion {
    FleetQuestion(query: IncidentQueries.texts(number), call: .get(path(number) + "/texts"))
  }
  static func timeline(_ number: Int64) -> FleetQuestion {
    FleetQuestion(query: IncidentQueries.timeline(number), call: .get(path(number) + "/timeline"))
  }
  static func deliveries(_ number: Int64) -> FleetQuestion {
    FleetQuestion(query: IncidentQueries.deliveries(number), call: .get(path(number) + "/deliveries"))
  }
  static func silences(all: Bool) -> FleetQuestion {
    FleetQuestion(
      query: IncidentQueries.silences(includingEnded: all), call: .get("/api/v1/silences", [("all", String(all))]))
  }
  static let rules = FleetQuestion(query: RuleQueries.list(), call: .get("/api/v1/rules"))
  static let onCall = FleetQuestion(query: IncidentQueries.onCall(), call: .get("/api/v1/oncall"))
  static let pagingCollector = FleetQuestion(
    query: IncidentQueries.pagingCollector(), call: .get("/api/v1/oncall/collector"))
  static func overrides(all: Bool) -> FleetQuestion {
    FleetQuestion(
      query: IncidentQueries.overrides(includingEnded: all),
      call: .get("/api/v1/oncall/overrides", [("all", String(all))]))
  }

  // MARK: Access

  static func credentials(all: Bool) -> FleetQuestion {
    FleetQuestion(query: AccessQueries.credentials(all: all), call: .get("/api/v1/tokens", [("all", String(all))]))
  }
  static func audit(actor: String?, action: String?, sinceNs: Int64?, limit: Int) -> FleetQuestion {
    FleetQuestion(
      query: AccessQueries.audit(actor: actor, action: action, sinceNs: sinceNs, limit: limit + 1),
      call: .get(
        "/api/v1/audit",
        [
          ("actor", actor), ("action", action), ("since", sinceNs.map { Timestamp.text($0) }), ("limit", String(limit)),
        ]), limit: limit)
  }

  private static func path(_ host: String) -> String { "/api/v1/hosts/\(PercentEncoding.pathPart(host))" }
  private static func path(_ incident: Int64) -> String { "/api/v1/incidents/\(incident)" }
}
