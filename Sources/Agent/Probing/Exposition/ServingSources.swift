/// Which metrics of which servers say how a model is served.
///
/// One table, so that rules and pages ask one name for all of them. Sources: vLLM `vllm/v1/metrics/loggers.py`, SGLang
/// `metrics/collector.py`, TGI "Metrics", Triton "Metrics" (user guide), Ray Serve "Monitor Your Application", OpenTelemetry "HTTP metrics",
/// prometheus-fastapi-instrumentator, prometheus_client `process_collector.py`, dcgm-exporter `default-counters.csv`.
struct ServingSources: Sendable {
  /// One metric, or one under its older and newer names: the first one that is there counts.
  struct Term: Sendable {
    var names: [String]
    /// Patterns of values.
    var labels: [String: String] = [:]
    /// To the figure's unit.
    var scale = 1.0
    /// Of a histogram what it measured, not how often.
    var isSum = false

    init(_ names: String..., labels: [String: String] = [:], scale: Double = 1, isSum: Bool = false) {
      (self.names, self.labels, self.scale, self.isSum) = (names, labels, scale, isSum)
    }
  }

  enum Figure: Sendable {
    /// Of all series; of a counter what it holds.
    case total(Term)
    case highest(Term)
    /// What all terms grew by, per second.
    case rate([Term])
    /// Quantiles and mean of a histogram or summary.
    case distribution(Term)
    /// What one counter grew by, per growth of the others.
    case mean(Term, of: [Term])
    /// What grew of the first, of all that grew of the others.
    case share([Term], of: [Term])
  }

  var system: String
  /// Answers take as long as they are long: how long one takes says nothing of how well it is served.
  var isGenerative = false
  var figures: [(name: String, figure: Figure)]

  /// For each figure the first one that has its metrics counts.
  static let all: [ServingSources] = [vllm, sglang, tgi, triton, ray, http, process, dcgm]

  private static let vllm = generative(
    "vLLM", prefix: "vllm:", first: "time_to_first_token_seconds", end: "e2e_request_latency_seconds",
    queue: "request_queue_time_seconds", running: "num_requests_running", waiting: "num_requests_waiting",
    requests: "request_success_total", cache: Term("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    token: Term(
      "vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds",
      "vllm:request_time_per_output_token_seconds"))

  private static let sglang = generative(
    "SGLang", prefix: "sglang:", first: "time_to_first_token_seconds", end: "e2e_request_latency_seconds",
    queue: "queue_time_seconds", running: "num_running_reqs", waiting: "num_queue_reqs",
    requests: "num_requests_total", cache: Term("sglang:token_usage"),
    token: Term("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"))

  private static func generative(
    _ system: String, prefix: String, first: String, end: String, queue: String, running: String, waiting: String,
    requests: String, cache: Term, token: Term
  ) -> ServingSources {
    ServingSources(
      system: system, isGenerative: true,
      figures: [
        ("requests_per_second", .rate([Term(prefix + requests)])),
        ("first_token_seconds", .distribution(Term(prefix + first))), ("token_seconds", .distribution(token)),
        ("generation_seconds", .distribution(Term(prefix + end))),
        ("queue_seconds", .distribution(Term(prefix + queue))),
        ("tokens_per_second", .rate([Term(prefix + "generation_tokens_total")])),
        ("running", .total(Term(prefix + running))), ("waiting", .total(Term(prefix + waiting))),
        ("cache_ratio", .highest(cache)),
      ])
  }

  private static let tgi = ServingSources(
    system: "TGI", isGenerative: true,
    figures: [
      ("requests_per_second", .rate([Term("tgi_request_count")])),
      ("error_ratio", .share([Term("tgi_request_failure")], of: [Term("tgi_request_count")])),
      ("token_seconds", .distribution(Term("tgi_request_mean_time_per_token_duration"))),
      ("generation_seconds", .distribution(Term("tgi_request_duration"))),
      ("queue_seconds", .distribution(Term("tgi_request_queue_duration"))),
      ("tokens_per_second", .rate([Term("tgi_request_generated_tokens", isSum: true)])),
      ("running", .total(Term("tgi_batch_current_size"))), ("waiting", .total(Term("tgi_queue_size"))),
    ])

  private static let triton: ServingSources = {
    let (good, bad) = (Term("nv_inference_request_success"), Term("nv_inference_request_failure"))
    return ServingSources(
      system: "Triton",
      figures: [
        ("requests_per_second", .rate([good, bad])), ("error_ratio", .share([bad], of: [good, bad])),
        ("request_seconds", .distribution(Term("nv_inference_request_summary_us", scale: 1e-6))),
        ("request_seconds", .mean(Term("nv_inference_request_duration_us", scale: 1e-6), of: [good])),
        ("first_token_seconds", .distribution(Term("nv_inference_first_response_histogram_ms", scale: 1e-3))),
        ("queue_seconds", .distribution(Term("nv_inference_queue_summary_us", scale: 1e-6))),
        ("queue_seconds", .mean(Term("nv_inference_queue_duration_us", scale: 1e-6), of: [good])),
        ("waiting", .total(Term("nv_inference_pending_request_count"))),
        ("gpu_memory_bytes", .total(Term("nv_gpu_memory_used_bytes"))),
      ])
  }()

  private static let ray: ServingSources = {
    let all = Term("ray_serve_num_http_requests_total", "ray_serve_num_http_requests")
    return ServingSources(
      system: "Ray Serve",
      figures: [
        ("requests_per_second", .rate([all])),
        (
          "error_ratio",
          .share([Term("ray_serve_num_http_error_requests_total", "ray_serve_num_http_error_requests")], of: [all])
        ),
        (
          "error_ratio",
          .share(
            [Term("ray_serve_deployment_error_counter_total", "ray_serve_deployment_error_counter")],
            of: [Term("ray_serve_deployment_request_counter_total", "ray_serve_deployment_request_counter")])
        ),
        (
          "request_seconds",
          .distribution(
            Term("ray_serve_http_request_latency_ms", "ray_serve_deployment_processing_latency_ms", scale: 1e-3))
        ), ("running", .total(Term("ray_serve_replica_processing_queries"))),
        ("waiting", .total(Term("ray_serve_deployment_queued_queries"))),
      ])
  }()

  /// APIs of one's own, and what stands beside the metrics of the servers above.
  private static let http: ServingSources = {
    let counters = ["status", "code", "status_code"].map { Term("http_requests_total", labels: [$0: "5*"]) }
    let duration = "http_server_request_duration_seconds"
    return ServingSources(
      system: "HTTP",
      figures: [
        ("requests_per_second", .rate([Term("http_requests_total")])),
        ("requests_per_second", .rate([Term(duration)])),
        ("error_ratio", .share(counters, of: [Term("http_requests_total")])),
        ("error_ratio", .share([Term(duration, labels: ["http_response_status_code": "5*"])], of: [Term(duration)])),
        (
          "request_seconds",
          .distribution(Term("http_request_duration_highr_seconds", "http_request_duration_seconds", duration))
        ), ("running", .total(Term("http_requests_inprogress"))),
      ])
  }()

  private static let process = ServingSources(
    system: "", figures: [("memory_bytes", .total(Term("process_resident_memory_bytes")))])

  private static let dcgm = ServingSources(
    system: "DCGM", figures: [("gpu_memory_bytes", .total(Term("DCGM_FI_DEV_FB_USED", scale: 1_048_576)))])

  /// Comparable names of all metrics above.
  static let names: Set<String> = {
    var names: Set<String> = []
    for (_, figure) in all.flatMap(\.figures) {
      for term in figure.terms { names.formUnion(term.names.map(Exposition.comparable)) }
    }
    return names
  }()
}

extension ServingSources.Figure {
  var terms: [ServingSources.Term] {
    switch self {
    case .total(let term), .highest(let term), .distribution(let term): [term]
    case .rate(let terms): terms
    case .mean(let term, let others): [term] + others
    case .share(let some, let others): some + others
    }
  }
}
