internal import FleetModel

/// Parts of a path.
enum PathParts {
  static func parent(_ path: String) -> String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "" }

  static func name(_ path: String) -> Substring {
    path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
  }
}

/// A path in MLflow's file store: `…/EXPERIMENT/RUN/{metrics/KEY,params/KEY,meta.yaml}`, where RUN has 32 hexadecimal digits and KEY may hold
/// slashes.
/// - Source: mlflow/store/tracking/file_store.py.
struct MLflowPath {
  enum Part: Equatable {
    case metric(String)
    case parameter(String)
    case meta

    /// What a file there is, by what it begins with.
    func format(_ head: Span<UInt8>) -> FileFormat {
      switch self {
      case .parameter: return .runParameters
      case .meta: return head.isEmpty || ParameterText.looksLike(yaml: head) ? .runParameters : .log
      case .metric:
        guard let end = LineCutter.newline(head, from: 0) else { return .mlflowMetric }
        return MLflowReader.value(head, LineCutter.content(head, 0..<end)) != nil ? .mlflowMetric : .log
      }
    }
  }

  /// Of the run.
  let directory: String
  let part: Part

  /// nil where the path is none of a run.
  init?(_ path: String) {
    let names = path.split(separator: "/", omittingEmptySubsequences: false)
    guard let run = names.lastIndex(where: Self.isRun), run + 1 < names.count else { return nil }
    directory = names[...run].joined(separator: "/")
    let key = names[(run + 2)...].joined(separator: "/")
    switch names[run + 1] {
    case "metrics" where !key.isEmpty: part = .metric(key)
    case "params" where !key.isEmpty: part = .parameter(key)
    case "meta.yaml" where run + 2 == names.count: part = .meta
    default: return nil
    }
  }

  private static func isRun(_ name: Substring) -> Bool {
    name.utf8.count == 32 && name.utf8.allSatisfy { $0 &- 48 <= 9 || $0 &- 97 < 6 }
  }
}
