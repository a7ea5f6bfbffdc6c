internal import HTTP2
internal import RPC

/// What a request's header fields hold.
struct RequestHead {
  private(set) var path = ""
  private(set) var metadata: [HeaderField] = []
  private(set) var timeoutNs: Int64?
  private var method = ""
  private var contentType: String?
  private var encoding: String?
  private var isTimeoutBad = false

  init(_ fields: [HeaderField]) {
    for field in fields {
      switch field.name {
      case ":path": path = field.value
      case ":method": method = field.value
      case "content-type": contentType = field.value
      case "grpc-encoding": encoding = field.value
      case "grpc-timeout":
        timeoutNs = RPCHeaders.timeoutNs(field.value)
        isTimeoutBad = timeoutNs == nil
      case let name where name.hasPrefix(":"): break
      default: metadata.append(field)
      }
    }
  }

  /// The HTTP status for what is not gRPC at all.
  var httpRefusal: String? {
    if method != "POST" { return "405" }
    return RPCHeaders.isGRPC(contentType: contentType) ? nil : "415"
  }

  /// gRPC, but not as spoken here.
  var refusal: RPCStatus? {
    if isTimeoutBad { return RPCStatus(.invalidArgument, "grpc-timeout is malformed") }
    if let encoding, encoding != "identity" {
      return RPCStatus(.unimplemented, "compression \(encoding) is not supported")
    }
    return nil
  }
}
